// Original file: proto/tidemark/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface Fence {
  'term'?: (number | string | Long);
  'coordinatorId'?: (string);
}

export interface Fence__Output {
  'term': (string);
  'coordinatorId': (string);
}
