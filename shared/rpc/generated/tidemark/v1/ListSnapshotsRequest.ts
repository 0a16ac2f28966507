// Original file: proto/tidemark/v1/admin.proto


export interface ListSnapshotsRequest {
  'limit'?: (number);
}

export interface ListSnapshotsRequest__Output {
  'limit': (number);
}
