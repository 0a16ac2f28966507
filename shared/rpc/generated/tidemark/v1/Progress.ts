// Original file: proto/tidemark/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface Progress {
  'phase'?: (string);
  'node'?: (string);
  'bytesDone'?: (number | string | Long);
  'bytesTotal'?: (number | string | Long);
  'message'?: (string);
}

export interface Progress__Output {
  'phase': (string);
  'node': (string);
  'bytesDone': (string);
  'bytesTotal': (string);
  'message': (string);
}
