// Original file: proto/tidemark/v1/coordinator.proto

import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from '../../tidemark/v1/WalStream.ts';
import type { WalRun as _tidemark_v1_WalRun, WalRun__Output as _tidemark_v1_WalRun__Output } from '../../tidemark/v1/WalRun.ts';
import type { Long } from '@grpc/proto-loader';

export interface WalPosition {
  'stream'?: (_tidemark_v1_WalStream | null);
  'firstLsn'?: (number | string | Long);
  'durableLsn'?: (number | string | Long);
  'nextRecordLsn'?: (number | string | Long);
  'walSegmentBytes'?: (number);
  'acknowledgedLsn'?: (number | string | Long);
  'runs'?: (_tidemark_v1_WalRun)[];
}

export interface WalPosition__Output {
  'stream': (_tidemark_v1_WalStream__Output | null);
  'firstLsn': (string);
  'durableLsn': (string);
  'nextRecordLsn': (string);
  'walSegmentBytes': (number);
  'acknowledgedLsn': (string);
  'runs': (_tidemark_v1_WalRun__Output)[];
}
