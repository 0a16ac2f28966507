// Original file: proto/tidemark/v1/agent.proto


export interface ResolveInDoubtResponse {
  'committed'?: (number);
  'rolledBack'?: (number);
}

export interface ResolveInDoubtResponse__Output {
  'committed': (number);
  'rolledBack': (number);
}
