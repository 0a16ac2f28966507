// Original file: proto/tidemark/v1/admin.proto

import type { Snapshot as _tidemark_v1_Snapshot, Snapshot__Output as _tidemark_v1_Snapshot__Output } from '../../tidemark/v1/Snapshot.ts';
import type { RestoredNode as _tidemark_v1_RestoredNode, RestoredNode__Output as _tidemark_v1_RestoredNode__Output } from '../../tidemark/v1/RestoredNode.ts';
import type { Long } from '@grpc/proto-loader';

export interface RestoreReport {
  'restoreId'?: (string);
  'snapshot'?: (_tidemark_v1_Snapshot | null);
  'nodes'?: (_tidemark_v1_RestoredNode)[];
  'durationMs'?: (number | string | Long);
  'paused'?: (boolean);
}

export interface RestoreReport__Output {
  'restoreId': (string);
  'snapshot': (_tidemark_v1_Snapshot__Output | null);
  'nodes': (_tidemark_v1_RestoredNode__Output)[];
  'durationMs': (string);
  'paused': (boolean);
}
