// Original file: proto/tidemark/v1/admin.proto

import type { RestoreTargetSpec as _tidemark_v1_RestoreTargetSpec, RestoreTargetSpec__Output as _tidemark_v1_RestoreTargetSpec__Output } from '../../tidemark/v1/RestoreTargetSpec.ts';
import type { Long } from '@grpc/proto-loader';

export interface RestoreRequest {
  'snapshotId'?: (string);
  'targets'?: (_tidemark_v1_RestoreTargetSpec)[];
  'pause'?: (boolean);
  'assertions'?: (string)[];
  'settings'?: ({[key: string]: string});
  'timeUs'?: (number | string | Long);
}

export interface RestoreRequest__Output {
  'snapshotId': (string);
  'targets': (_tidemark_v1_RestoreTargetSpec__Output)[];
  'pause': (boolean);
  'assertions': (string)[];
  'settings': ({[key: string]: string});
  'timeUs': (string);
}
