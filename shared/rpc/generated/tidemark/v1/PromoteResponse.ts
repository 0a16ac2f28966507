// Original file: proto/tidemark/v1/agent.proto

import type { PreparedTransaction as _tidemark_v1_PreparedTransaction, PreparedTransaction__Output as _tidemark_v1_PreparedTransaction__Output } from '../../tidemark/v1/PreparedTransaction.ts';
import type { Long } from '@grpc/proto-loader';

export interface PromoteResponse {
  'prepared'?: (_tidemark_v1_PreparedTransaction)[];
  'replayLsn'?: (number | string | Long);
  'timeline'?: (number);
}

export interface PromoteResponse__Output {
  'prepared': (_tidemark_v1_PreparedTransaction__Output)[];
  'replayLsn': (string);
  'timeline': (number);
}
