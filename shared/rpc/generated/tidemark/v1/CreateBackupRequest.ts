// Original file: proto/tidemark/v1/admin.proto


export interface CreateBackupRequest {
  'nodes'?: (string)[];
  'type'?: (string);
}

export interface CreateBackupRequest__Output {
  'nodes': (string)[];
  'type': (string);
}
