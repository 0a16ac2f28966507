// Original file: proto/tidemark/v1/coordinator.proto

import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from '../../tidemark/v1/Fence.ts';
import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from '../../tidemark/v1/WalStream.ts';
import type { Long } from '@grpc/proto-loader';

export interface _tidemark_v1_FollowWalRequest_Durable {
  'durableLsn'?: (number | string | Long);
}

export interface _tidemark_v1_FollowWalRequest_Durable__Output {
  'durableLsn': (string);
}

export interface _tidemark_v1_FollowWalRequest_Open {
  'fence'?: (_tidemark_v1_Fence | null);
  'coordinatorId'?: (string);
  'dataCenter'?: (string);
  'stream'?: (_tidemark_v1_WalStream | null);
  'fromLsn'?: (number | string | Long);
}

export interface _tidemark_v1_FollowWalRequest_Open__Output {
  'fence': (_tidemark_v1_Fence__Output | null);
  'coordinatorId': (string);
  'dataCenter': (string);
  'stream': (_tidemark_v1_WalStream__Output | null);
  'fromLsn': (string);
}

export interface FollowWalRequest {
  'open'?: (_tidemark_v1_FollowWalRequest_Open | null);
  'durable'?: (_tidemark_v1_FollowWalRequest_Durable | null);
  'request'?: "open"|"durable";
}

export interface FollowWalRequest__Output {
  'open'?: (_tidemark_v1_FollowWalRequest_Open__Output | null);
  'durable'?: (_tidemark_v1_FollowWalRequest_Durable__Output | null);
  'request'?: "open"|"durable";
}
