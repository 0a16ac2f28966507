// Original file: proto/tidemark/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface ObjectEntry {
  'path'?: (string);
  'sizeBytes'?: (number | string | Long);
}

export interface ObjectEntry__Output {
  'path': (string);
  'sizeBytes': (string);
}
