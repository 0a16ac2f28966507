// Original file: proto/tidemark/v1/agent.proto


export interface PreparedTransaction {
  'gid'?: (string);
  'xid'?: (number);
  'database'?: (string);
  'databaseOid'?: (number);
}

export interface PreparedTransaction__Output {
  'gid': (string);
  'xid': (number);
  'database': (string);
  'databaseOid': (number);
}
