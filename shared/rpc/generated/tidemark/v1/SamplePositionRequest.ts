// Original file: proto/tidemark/v1/agent.proto

import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from '../../tidemark/v1/Fence.ts';

export interface SamplePositionRequest {
  'fence'?: (_tidemark_v1_Fence | null);
  'flush'?: (boolean);
}

export interface SamplePositionRequest__Output {
  'fence': (_tidemark_v1_Fence__Output | null);
  'flush': (boolean);
}
