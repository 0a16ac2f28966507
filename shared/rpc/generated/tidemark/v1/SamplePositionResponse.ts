// Original file: proto/tidemark/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

export interface SamplePositionResponse {
  'insertLsn'?: (number | string | Long);
  'timeline'?: (number);
  'systemIdentifier'?: (string);
  'agentTimeUs'?: (number | string | Long);
}

export interface SamplePositionResponse__Output {
  'insertLsn': (string);
  'timeline': (number);
  'systemIdentifier': (string);
  'agentTimeUs': (string);
}
