// Original file: proto/tidemark/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

export interface SamplePositionResponse {
  'insertLsn'?: (number | string | Long);
  'timeline'?: (number);
  'systemIdentifier'?: (string);
  'nodeTimeUs'?: (number | string | Long);
}

export interface SamplePositionResponse__Output {
  'insertLsn': (string);
  'timeline': (number);
  'systemIdentifier': (string);
  'nodeTimeUs': (string);
}
