// Original file: proto/tidemark/v1/agent.proto


export interface CheckRestoredRequest {
  'restoreId'?: (string);
  'assertions'?: (string)[];
}

export interface CheckRestoredRequest__Output {
  'restoreId': (string);
  'assertions': (string)[];
}
