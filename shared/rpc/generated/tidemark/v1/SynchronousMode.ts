// Original file: proto/tidemark/v1/agent.proto


export interface SynchronousMode {
  'configured'?: (boolean);
  'problem'?: (string);
}

export interface SynchronousMode__Output {
  'configured': (boolean);
  'problem': (string);
}
