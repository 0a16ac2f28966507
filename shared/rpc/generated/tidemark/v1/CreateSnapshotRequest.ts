// Original file: proto/tidemark/v1/admin.proto


export interface CreateSnapshotRequest {
  'label'?: (string);
}

export interface CreateSnapshotRequest__Output {
  'label': (string);
}
