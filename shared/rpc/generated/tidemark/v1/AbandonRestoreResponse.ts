// Original file: proto/tidemark/v1/agent.proto


export interface AbandonRestoreResponse {
}

export interface AbandonRestoreResponse__Output {
}
