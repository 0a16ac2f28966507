// Original file: proto/tidemark/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface ReadObjectRequest {
  'path'?: (string);
  'offsetBytes'?: (number | string | Long);
  'lengthBytes'?: (number | string | Long);
}

export interface ReadObjectRequest__Output {
  'path': (string);
  'offsetBytes': (string);
  'lengthBytes': (string);
}
