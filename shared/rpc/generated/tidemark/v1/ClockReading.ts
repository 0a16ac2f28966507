// Original file: proto/tidemark/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface ClockReading {
  'atLsn'?: (number | string | Long);
  'nodeTimeUs'?: (number | string | Long);
  'offsetUs'?: (number | string | Long);
  'uncertaintyUs'?: (number | string | Long);
  'coordinatorId'?: (string);
  'term'?: (number | string | Long);
}

export interface ClockReading__Output {
  'atLsn': (string);
  'nodeTimeUs': (string);
  'offsetUs': (string);
  'uncertaintyUs': (string);
  'coordinatorId': (string);
  'term': (string);
}
