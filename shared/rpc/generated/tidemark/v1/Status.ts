// Original file: proto/tidemark/v1/admin.proto

import type { Leader as _tidemark_v1_Leader, Leader__Output as _tidemark_v1_Leader__Output } from '../../tidemark/v1/Leader.ts';
import type { CoordinatorStatus as _tidemark_v1_CoordinatorStatus, CoordinatorStatus__Output as _tidemark_v1_CoordinatorStatus__Output } from '../../tidemark/v1/CoordinatorStatus.ts';
import type { NodeStatus as _tidemark_v1_NodeStatus, NodeStatus__Output as _tidemark_v1_NodeStatus__Output } from '../../tidemark/v1/NodeStatus.ts';
import type { Snapshot as _tidemark_v1_Snapshot, Snapshot__Output as _tidemark_v1_Snapshot__Output } from '../../tidemark/v1/Snapshot.ts';
import type { BrokenTransaction as _tidemark_v1_BrokenTransaction, BrokenTransaction__Output as _tidemark_v1_BrokenTransaction__Output } from '../../tidemark/v1/BrokenTransaction.ts';
import type { LongPrepared as _tidemark_v1_LongPrepared, LongPrepared__Output as _tidemark_v1_LongPrepared__Output } from '../../tidemark/v1/LongPrepared.ts';
import type { Long } from '@grpc/proto-loader';

export interface Status {
  'cluster'?: (string);
  'state'?: (string);
  'problems'?: (string)[];
  'leader'?: (_tidemark_v1_Leader | null);
  'coordinators'?: (_tidemark_v1_CoordinatorStatus)[];
  'nodes'?: (_tidemark_v1_NodeStatus)[];
  'lastSnapshot'?: (_tidemark_v1_Snapshot | null);
  'copiesRequired'?: (number);
  'recoverableFromUs'?: (number | string | Long);
  'recoverableToUs'?: (number | string | Long);
  'coordination'?: (string);
  'coordinationReachable'?: (boolean);
  'brokenTransactions'?: (_tidemark_v1_BrokenTransaction)[];
  'longPrepared'?: (_tidemark_v1_LongPrepared)[];
}

export interface Status__Output {
  'cluster': (string);
  'state': (string);
  'problems': (string)[];
  'leader': (_tidemark_v1_Leader__Output | null);
  'coordinators': (_tidemark_v1_CoordinatorStatus__Output)[];
  'nodes': (_tidemark_v1_NodeStatus__Output)[];
  'lastSnapshot': (_tidemark_v1_Snapshot__Output | null);
  'copiesRequired': (number);
  'recoverableFromUs': (string);
  'recoverableToUs': (string);
  'coordination': (string);
  'coordinationReachable': (boolean);
  'brokenTransactions': (_tidemark_v1_BrokenTransaction__Output)[];
  'longPrepared': (_tidemark_v1_LongPrepared__Output)[];
}
