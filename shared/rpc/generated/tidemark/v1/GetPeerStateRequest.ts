// Original file: proto/tidemark/v1/coordinator.proto

import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from '../../tidemark/v1/Fence.ts';

export interface GetPeerStateRequest {
  'fence'?: (_tidemark_v1_Fence | null);
}

export interface GetPeerStateRequest__Output {
  'fence': (_tidemark_v1_Fence__Output | null);
}
