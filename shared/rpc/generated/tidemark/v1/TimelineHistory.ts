// Original file: proto/tidemark/v1/common.proto


export interface TimelineHistory {
  'timeline'?: (number);
  'content'?: (Buffer | Uint8Array | string);
}

export interface TimelineHistory__Output {
  'timeline': (number);
  'content': (Buffer);
}
