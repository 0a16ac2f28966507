// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface InDoubtDecision {
  'node'?: (string);
  'gid'?: (string);
  'xid'?: (number);
  'databaseOid'?: (number);
  'prepareLsn'?: (number | string | Long);
  'decision'?: (string);
}

export interface InDoubtDecision__Output {
  'node': (string);
  'gid': (string);
  'xid': (number);
  'databaseOid': (number);
  'prepareLsn': (string);
  'decision': (string);
}
