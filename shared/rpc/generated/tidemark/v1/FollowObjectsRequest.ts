// Original file: proto/tidemark/v1/coordinator.proto


export interface _tidemark_v1_FollowObjectsRequest_Open {
  'coordinatorId'?: (string);
  'dataCenter'?: (string);
  'repositoryId'?: (string);
}

export interface _tidemark_v1_FollowObjectsRequest_Open__Output {
  'coordinatorId': (string);
  'dataCenter': (string);
  'repositoryId': (string);
}

export interface _tidemark_v1_FollowObjectsRequest_Stored {
  'path'?: (string);
}

export interface _tidemark_v1_FollowObjectsRequest_Stored__Output {
  'path': (string);
}

export interface FollowObjectsRequest {
  'open'?: (_tidemark_v1_FollowObjectsRequest_Open | null);
  'stored'?: (_tidemark_v1_FollowObjectsRequest_Stored | null);
  'request'?: "open"|"stored";
}

export interface FollowObjectsRequest__Output {
  'open'?: (_tidemark_v1_FollowObjectsRequest_Open__Output | null);
  'stored'?: (_tidemark_v1_FollowObjectsRequest_Stored__Output | null);
  'request'?: "open"|"stored";
}
