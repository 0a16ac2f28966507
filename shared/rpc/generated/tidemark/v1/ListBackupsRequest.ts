// Original file: proto/tidemark/v1/admin.proto


export interface ListBackupsRequest {
}

export interface ListBackupsRequest__Output {
}
