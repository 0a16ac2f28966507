// Original file: proto/tidemark/v1/coordinator.proto

import type { ObjectEntry as _tidemark_v1_ObjectEntry, ObjectEntry__Output as _tidemark_v1_ObjectEntry__Output } from '../../tidemark/v1/ObjectEntry.ts';

export interface FollowObjectsResponse {
  'object'?: (_tidemark_v1_ObjectEntry | null);
}

export interface FollowObjectsResponse__Output {
  'object': (_tidemark_v1_ObjectEntry__Output | null);
}
