// Original file: proto/tidemark/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface WalRun {
  'startLsn'?: (number | string | Long);
  'endLsn'?: (number | string | Long);
}

export interface WalRun__Output {
  'startLsn': (string);
  'endLsn': (string);
}
