// Original file: proto/tidemark/v1/admin.proto


export interface RestoreTargetSpec {
  'node'?: (string);
  'agentAddress'?: (string);
  'directory'?: (string);
  'port'?: (number);
  'tablespaceDirectories'?: ({[key: string]: string});
}

export interface RestoreTargetSpec__Output {
  'node': (string);
  'agentAddress': (string);
  'directory': (string);
  'port': (number);
  'tablespaceDirectories': ({[key: string]: string});
}
