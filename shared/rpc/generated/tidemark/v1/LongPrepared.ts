// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface LongPrepared {
  'node'?: (string);
  'gid'?: (string);
  'xid'?: (number);
  'preparedAtUs'?: (number | string | Long);
}

export interface LongPrepared__Output {
  'node': (string);
  'gid': (string);
  'xid': (number);
  'preparedAtUs': (string);
}
