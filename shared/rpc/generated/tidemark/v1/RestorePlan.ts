// Original file: proto/tidemark/v1/admin.proto

import type { Snapshot as _tidemark_v1_Snapshot, Snapshot__Output as _tidemark_v1_Snapshot__Output } from '../../tidemark/v1/Snapshot.ts';
import type { NodeRestorePlan as _tidemark_v1_NodeRestorePlan, NodeRestorePlan__Output as _tidemark_v1_NodeRestorePlan__Output } from '../../tidemark/v1/NodeRestorePlan.ts';

export interface RestorePlan {
  'snapshot'?: (_tidemark_v1_Snapshot | null);
  'nodes'?: (_tidemark_v1_NodeRestorePlan)[];
}

export interface RestorePlan__Output {
  'snapshot': (_tidemark_v1_Snapshot__Output | null);
  'nodes': (_tidemark_v1_NodeRestorePlan__Output)[];
}
