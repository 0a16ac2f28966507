// Original file: proto/tidemark/v1/agent.proto


export interface GetInstanceRequest {
}

export interface GetInstanceRequest__Output {
}
