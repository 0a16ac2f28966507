// Original file: proto/tidemark/v1/agent.proto

import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from '../../tidemark/v1/WalStream.ts';
import type { BackupSource as _tidemark_v1_BackupSource, BackupSource__Output as _tidemark_v1_BackupSource__Output } from '../../tidemark/v1/BackupSource.ts';
import type { InDoubtBranch as _tidemark_v1_InDoubtBranch, InDoubtBranch__Output as _tidemark_v1_InDoubtBranch__Output } from '../../tidemark/v1/InDoubtBranch.ts';
import type { Long } from '@grpc/proto-loader';

export interface PrepareRestoreRequest {
  'restoreId'?: (string);
  'stream'?: (_tidemark_v1_WalStream | null);
  'backupId'?: (string);
  'targetLsn'?: (number | string | Long);
  'walFromLsn'?: (number | string | Long);
  'walEndLsn'?: (number | string | Long);
  'directory'?: (string);
  'port'?: (number);
  'source'?: (_tidemark_v1_BackupSource | null);
  'tablespaceDirectories'?: ({[key: string]: string});
  'expectedInDoubt'?: (_tidemark_v1_InDoubtBranch)[];
  'settings'?: ({[key: string]: string});
  'walSegmentBytes'?: (number);
}

export interface PrepareRestoreRequest__Output {
  'restoreId': (string);
  'stream': (_tidemark_v1_WalStream__Output | null);
  'backupId': (string);
  'targetLsn': (string);
  'walFromLsn': (string);
  'walEndLsn': (string);
  'directory': (string);
  'port': (number);
  'source': (_tidemark_v1_BackupSource__Output | null);
  'tablespaceDirectories': ({[key: string]: string});
  'expectedInDoubt': (_tidemark_v1_InDoubtBranch__Output)[];
  'settings': ({[key: string]: string});
  'walSegmentBytes': (number);
}
