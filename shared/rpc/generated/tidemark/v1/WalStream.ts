// Original file: proto/tidemark/v1/common.proto


export interface WalStream {
  'node'?: (string);
  'systemIdentifier'?: (string);
  'timeline'?: (number);
}

export interface WalStream__Output {
  'node': (string);
  'systemIdentifier': (string);
  'timeline': (number);
}
