// Original file: proto/tidemark/v1/admin.proto


export interface ResignLeaderRequest {
}

export interface ResignLeaderRequest__Output {
}
