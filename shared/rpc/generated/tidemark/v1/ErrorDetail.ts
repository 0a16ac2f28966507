// Original file: proto/tidemark/v1/common.proto


export interface ErrorDetail {
  'code'?: (string);
  'message'?: (string);
  'hint'?: (string);
  'retryable'?: (boolean);
}

export interface ErrorDetail__Output {
  'code': (string);
  'message': (string);
  'hint': (string);
  'retryable': (boolean);
}
