// Original file: proto/tidemark/v1/admin.proto


export interface RestoredNode {
  'node'?: (string);
  'agentAddress'?: (string);
  'directory'?: (string);
  'port'?: (number);
  'inDoubtCommitted'?: (number);
  'inDoubtRolledBack'?: (number);
}

export interface RestoredNode__Output {
  'node': (string);
  'agentAddress': (string);
  'directory': (string);
  'port': (number);
  'inDoubtCommitted': (number);
  'inDoubtRolledBack': (number);
}
