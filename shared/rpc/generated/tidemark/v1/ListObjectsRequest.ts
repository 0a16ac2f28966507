// Original file: proto/tidemark/v1/coordinator.proto


export interface ListObjectsRequest {
  'prefix'?: (string);
}

export interface ListObjectsRequest__Output {
  'prefix': (string);
}
