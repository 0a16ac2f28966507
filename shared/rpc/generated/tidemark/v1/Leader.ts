// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface Leader {
  'coordinatorId'?: (string);
  'dataCenter'?: (string);
  'address'?: (string);
  'term'?: (number | string | Long);
}

export interface Leader__Output {
  'coordinatorId': (string);
  'dataCenter': (string);
  'address': (string);
  'term': (string);
}
