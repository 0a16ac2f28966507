// Original file: proto/tidemark/v1/admin.proto


export interface CoordinatorStatus {
  'coordinatorId'?: (string);
  'dataCenter'?: (string);
  'address'?: (string);
  'reachable'?: (boolean);
  'leader'?: (boolean);
  'repositoryId'?: (string);
}

export interface CoordinatorStatus__Output {
  'coordinatorId': (string);
  'dataCenter': (string);
  'address': (string);
  'reachable': (boolean);
  'leader': (boolean);
  'repositoryId': (string);
}
