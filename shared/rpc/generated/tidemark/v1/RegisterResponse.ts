// Original file: proto/tidemark/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface RegisterResponse {
  'leaderId'?: (string);
  'term'?: (number | string | Long);
  'heartbeatIntervalMs'?: (number);
}

export interface RegisterResponse__Output {
  'leaderId': (string);
  'term': (string);
  'heartbeatIntervalMs': (number);
}
