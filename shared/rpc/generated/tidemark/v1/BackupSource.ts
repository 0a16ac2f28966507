// Original file: proto/tidemark/v1/agent.proto


export interface _tidemark_v1_BackupSource_Coordinators {
  'addresses'?: (string)[];
}

export interface _tidemark_v1_BackupSource_Coordinators__Output {
  'addresses': (string)[];
}

export interface BackupSource {
  'coordinators'?: (_tidemark_v1_BackupSource_Coordinators | null);
  'repositoryPath'?: (string);
  'source'?: "coordinators"|"repositoryPath";
}

export interface BackupSource__Output {
  'coordinators'?: (_tidemark_v1_BackupSource_Coordinators__Output | null);
  'repositoryPath'?: (string);
  'source'?: "coordinators"|"repositoryPath";
}
