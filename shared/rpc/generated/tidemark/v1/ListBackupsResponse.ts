// Original file: proto/tidemark/v1/admin.proto

import type { Backup as _tidemark_v1_Backup, Backup__Output as _tidemark_v1_Backup__Output } from '../../tidemark/v1/Backup.ts';

export interface ListBackupsResponse {
  'backups'?: (_tidemark_v1_Backup)[];
}

export interface ListBackupsResponse__Output {
  'backups': (_tidemark_v1_Backup__Output)[];
}
