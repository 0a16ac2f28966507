// Original file: proto/tidemark/v1/admin.proto

import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from '../../tidemark/v1/Progress.ts';
import type { Backup as _tidemark_v1_Backup, Backup__Output as _tidemark_v1_Backup__Output } from '../../tidemark/v1/Backup.ts';

export interface BackupEvent {
  'progress'?: (_tidemark_v1_Progress | null);
  'backup'?: (_tidemark_v1_Backup | null);
  'event'?: "progress"|"backup";
}

export interface BackupEvent__Output {
  'progress'?: (_tidemark_v1_Progress__Output | null);
  'backup'?: (_tidemark_v1_Backup__Output | null);
  'event'?: "progress"|"backup";
}
