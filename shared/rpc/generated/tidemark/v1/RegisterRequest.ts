// Original file: proto/tidemark/v1/coordinator.proto

import type { Instance as _tidemark_v1_Instance, Instance__Output as _tidemark_v1_Instance__Output } from '../../tidemark/v1/Instance.ts';

export interface RegisterRequest {
  'instance'?: (_tidemark_v1_Instance | null);
  'forwarded'?: (boolean);
}

export interface RegisterRequest__Output {
  'instance': (_tidemark_v1_Instance__Output | null);
  'forwarded': (boolean);
}
