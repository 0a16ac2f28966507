// Original file: proto/tidemark/v1/coordinator.proto

import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from '../../tidemark/v1/WalStream.ts';
import type { Long } from '@grpc/proto-loader';

export interface WalPosition {
  'stream'?: (_tidemark_v1_WalStream | null);
  'firstLsn'?: (number | string | Long);
  'durableLsn'?: (number | string | Long);
  'nextRecordLsn'?: (number | string | Long);
  'walSegmentBytes'?: (number);
  'acknowledgedLsn'?: (number | string | Long);
}

export interface WalPosition__Output {
  'stream': (_tidemark_v1_WalStream__Output | null);
  'firstLsn': (string);
  'durableLsn': (string);
  'nextRecordLsn': (string);
  'walSegmentBytes': (number);
  'acknowledgedLsn': (string);
}
