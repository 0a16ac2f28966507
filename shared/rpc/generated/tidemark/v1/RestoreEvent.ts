// Original file: proto/tidemark/v1/admin.proto

import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from '../../tidemark/v1/Progress.ts';
import type { RestoreReport as _tidemark_v1_RestoreReport, RestoreReport__Output as _tidemark_v1_RestoreReport__Output } from '../../tidemark/v1/RestoreReport.ts';

export interface RestoreEvent {
  'progress'?: (_tidemark_v1_Progress | null);
  'report'?: (_tidemark_v1_RestoreReport | null);
  'event'?: "progress"|"report";
}

export interface RestoreEvent__Output {
  'progress'?: (_tidemark_v1_Progress__Output | null);
  'report'?: (_tidemark_v1_RestoreReport__Output | null);
  'event'?: "progress"|"report";
}
