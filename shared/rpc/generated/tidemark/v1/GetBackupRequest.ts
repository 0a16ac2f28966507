// Original file: proto/tidemark/v1/admin.proto


export interface GetBackupRequest {
  'id'?: (string);
}

export interface GetBackupRequest__Output {
  'id': (string);
}
