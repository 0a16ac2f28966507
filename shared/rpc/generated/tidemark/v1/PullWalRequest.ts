// Original file: proto/tidemark/v1/agent.proto

import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from '../../tidemark/v1/Fence.ts';
import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from '../../tidemark/v1/WalStream.ts';
import type { Long } from '@grpc/proto-loader';

export interface _tidemark_v1_PullWalRequest_Acknowledge {
  'durableLsn'?: (number | string | Long);
}

export interface _tidemark_v1_PullWalRequest_Acknowledge__Output {
  'durableLsn': (string);
}

export interface _tidemark_v1_PullWalRequest_Open {
  'fence'?: (_tidemark_v1_Fence | null);
  'stream'?: (_tidemark_v1_WalStream | null);
  'fromLsn'?: (number | string | Long);
  'parseFromLsn'?: (number | string | Long);
}

export interface _tidemark_v1_PullWalRequest_Open__Output {
  'fence': (_tidemark_v1_Fence__Output | null);
  'stream': (_tidemark_v1_WalStream__Output | null);
  'fromLsn': (string);
  'parseFromLsn': (string);
}

export interface PullWalRequest {
  'open'?: (_tidemark_v1_PullWalRequest_Open | null);
  'acknowledge'?: (_tidemark_v1_PullWalRequest_Acknowledge | null);
  'request'?: "open"|"acknowledge";
}

export interface PullWalRequest__Output {
  'open'?: (_tidemark_v1_PullWalRequest_Open__Output | null);
  'acknowledge'?: (_tidemark_v1_PullWalRequest_Acknowledge__Output | null);
  'request'?: "open"|"acknowledge";
}
