// Original file: proto/tidemark/v1/agent.proto


export interface OpenRestoredResponse {
  'port'?: (number);
  'socketDirectory'?: (string);
}

export interface OpenRestoredResponse__Output {
  'port': (number);
  'socketDirectory': (string);
}
