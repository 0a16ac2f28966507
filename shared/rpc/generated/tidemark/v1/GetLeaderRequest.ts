// Original file: proto/tidemark/v1/admin.proto


export interface GetLeaderRequest {
}

export interface GetLeaderRequest__Output {
}
