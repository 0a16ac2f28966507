// Original file: proto/tidemark/v1/coordinator.proto


export interface StatObjectRequest {
  'path'?: (string);
}

export interface StatObjectRequest__Output {
  'path': (string);
}
