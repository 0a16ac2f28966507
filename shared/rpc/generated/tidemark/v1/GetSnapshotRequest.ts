// Original file: proto/tidemark/v1/admin.proto


export interface GetSnapshotRequest {
  'id'?: (string);
}

export interface GetSnapshotRequest__Output {
  'id': (string);
}
