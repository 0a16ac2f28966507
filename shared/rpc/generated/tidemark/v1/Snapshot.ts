// Original file: proto/tidemark/v1/admin.proto

import type { CutPosition as _tidemark_v1_CutPosition, CutPosition__Output as _tidemark_v1_CutPosition__Output } from '../../tidemark/v1/CutPosition.ts';
import type { InDoubtDecision as _tidemark_v1_InDoubtDecision, InDoubtDecision__Output as _tidemark_v1_InDoubtDecision__Output } from '../../tidemark/v1/InDoubtDecision.ts';
import type { Long } from '@grpc/proto-loader';

export interface Snapshot {
  'id'?: (string);
  'timeUs'?: (number | string | Long);
  'label'?: (string);
  'class'?: (string);
  'boundUs'?: (number | string | Long);
  'complete'?: (boolean);
  'cut'?: (_tidemark_v1_CutPosition)[];
  'inDoubt'?: (_tidemark_v1_InDoubtDecision)[];
  'dataCenters'?: (string)[];
  'restorable'?: (boolean);
  'causalBeforeUs'?: (number | string | Long);
}

export interface Snapshot__Output {
  'id': (string);
  'timeUs': (string);
  'label': (string);
  'class': (string);
  'boundUs': (string);
  'complete': (boolean);
  'cut': (_tidemark_v1_CutPosition__Output)[];
  'inDoubt': (_tidemark_v1_InDoubtDecision__Output)[];
  'dataCenters': (string)[];
  'restorable': (boolean);
  'causalBeforeUs': (string);
}
