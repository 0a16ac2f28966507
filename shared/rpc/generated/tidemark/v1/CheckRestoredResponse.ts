// Original file: proto/tidemark/v1/agent.proto


export interface CheckRestoredResponse {
  'failures'?: (string)[];
}

export interface CheckRestoredResponse__Output {
  'failures': (string)[];
}
