// Original file: proto/tidemark/v1/coordinator.proto


export interface ObjectChunk {
  'data'?: (Buffer | Uint8Array | string);
}

export interface ObjectChunk__Output {
  'data': (Buffer);
}
