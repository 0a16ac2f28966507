// Original file: proto/tidemark/v1/common.proto

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
}
