// Original file: proto/tidemark/v1/agent.proto

import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from '../../tidemark/v1/Fence.ts';

export interface TakeBaseBackupRequest {
  'fence'?: (_tidemark_v1_Fence | null);
  'backupId'?: (string);
  'workers'?: (number);
  'compressionLevel'?: (number);
  'fastCheckpoint'?: (boolean);
}

export interface TakeBaseBackupRequest__Output {
  'fence': (_tidemark_v1_Fence__Output | null);
  'backupId': (string);
  'workers': (number);
  'compressionLevel': (number);
  'fastCheckpoint': (boolean);
}
