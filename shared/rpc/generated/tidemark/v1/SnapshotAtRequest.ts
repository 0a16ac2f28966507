// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface SnapshotAtRequest {
  'timeUs'?: (number | string | Long);
}

export interface SnapshotAtRequest__Output {
  'timeUs': (string);
}
