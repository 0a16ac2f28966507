// Original file: proto/tidemark/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

export interface InDoubtBranch {
  'gid'?: (string);
  'xid'?: (number);
  'databaseOid'?: (number);
  'prepareLsn'?: (number | string | Long);
  'commit'?: (boolean);
}

export interface InDoubtBranch__Output {
  'gid': (string);
  'xid': (number);
  'databaseOid': (number);
  'prepareLsn': (string);
  'commit': (boolean);
}
