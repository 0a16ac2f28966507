// Original file: proto/tidemark/v1/agent.proto

import type { InDoubtBranch as _tidemark_v1_InDoubtBranch, InDoubtBranch__Output as _tidemark_v1_InDoubtBranch__Output } from '../../tidemark/v1/InDoubtBranch.ts';

export interface ResolveInDoubtRequest {
  'restoreId'?: (string);
  'branches'?: (_tidemark_v1_InDoubtBranch)[];
}

export interface ResolveInDoubtRequest__Output {
  'restoreId': (string);
  'branches': (_tidemark_v1_InDoubtBranch__Output)[];
}
