// Original file: proto/tidemark/v1/admin.proto


export interface BrokenBranch {
  'node'?: (string);
  'xid'?: (number);
  'state'?: (string);
}

export interface BrokenBranch__Output {
  'node': (string);
  'xid': (number);
  'state': (string);
}
