// Original file: proto/tidemark/v1/agent.proto


export interface RestoreStepRequest {
  'restoreId'?: (string);
}

export interface RestoreStepRequest__Output {
  'restoreId': (string);
}
