// Original file: proto/tidemark/v1/coordinator.proto

import type { ChangeSet as _tidemark_v1_ChangeSet, ChangeSet__Output as _tidemark_v1_ChangeSet__Output } from '../../tidemark/v1/ChangeSet.ts';
import type { Long } from '@grpc/proto-loader';

export interface _tidemark_v1_FollowWalResponse_Acknowledged {
  'acknowledgedLsn'?: (number | string | Long);
}

export interface _tidemark_v1_FollowWalResponse_Acknowledged__Output {
  'acknowledgedLsn': (string);
}

export interface _tidemark_v1_FollowWalResponse_Hole {
  'fromLsn'?: (number | string | Long);
  'toLsn'?: (number | string | Long);
}

export interface _tidemark_v1_FollowWalResponse_Hole__Output {
  'fromLsn': (string);
  'toLsn': (string);
}

export interface _tidemark_v1_FollowWalResponse_Opened {
  'term'?: (number | string | Long);
  'fromLsn'?: (number | string | Long);
  'walSegmentBytes'?: (number);
  'nextRecordLsn'?: (number | string | Long);
}

export interface _tidemark_v1_FollowWalResponse_Opened__Output {
  'term': (string);
  'fromLsn': (string);
  'walSegmentBytes': (number);
  'nextRecordLsn': (string);
}

export interface FollowWalResponse {
  'opened'?: (_tidemark_v1_FollowWalResponse_Opened | null);
  'changeSet'?: (_tidemark_v1_ChangeSet | null);
  'acknowledged'?: (_tidemark_v1_FollowWalResponse_Acknowledged | null);
  'hole'?: (_tidemark_v1_FollowWalResponse_Hole | null);
  'response'?: "opened"|"changeSet"|"acknowledged"|"hole";
}

export interface FollowWalResponse__Output {
  'opened'?: (_tidemark_v1_FollowWalResponse_Opened__Output | null);
  'changeSet'?: (_tidemark_v1_ChangeSet__Output | null);
  'acknowledged'?: (_tidemark_v1_FollowWalResponse_Acknowledged__Output | null);
  'hole'?: (_tidemark_v1_FollowWalResponse_Hole__Output | null);
  'response'?: "opened"|"changeSet"|"acknowledged"|"hole";
}
