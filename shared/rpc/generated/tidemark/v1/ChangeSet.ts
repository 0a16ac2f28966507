// Original file: proto/tidemark/v1/common.proto

import type { ClockReading as _tidemark_v1_ClockReading, ClockReading__Output as _tidemark_v1_ClockReading__Output } from '../../tidemark/v1/ClockReading.ts';
import type { Long } from '@grpc/proto-loader';

export interface ChangeSet {
  'timeline'?: (number);
  'startLsn'?: (number | string | Long);
  'endLsn'?: (number | string | Long);
  'nextRecordLsn'?: (number | string | Long);
  'lastRecordLsn'?: (number | string | Long);
  'frame'?: (Buffer | Uint8Array | string);
  'contentSha256'?: (Buffer | Uint8Array | string);
  'events'?: (Buffer | Uint8Array | string);
  'changedBlocks'?: (Buffer | Uint8Array | string);
  'clocks'?: (_tidemark_v1_ClockReading)[];
  'frameCrc32'?: (number);
}

export interface ChangeSet__Output {
  'timeline': (number);
  'startLsn': (string);
  'endLsn': (string);
  'nextRecordLsn': (string);
  'lastRecordLsn': (string);
  'frame': (Buffer);
  'contentSha256': (Buffer);
  'events': (Buffer);
  'changedBlocks': (Buffer);
  'clocks': (_tidemark_v1_ClockReading__Output)[];
  'frameCrc32': (number);
}
