// Original file: proto/tidemark/v1/admin.proto

import type { CopyStatus as _tidemark_v1_CopyStatus, CopyStatus__Output as _tidemark_v1_CopyStatus__Output } from '../../tidemark/v1/CopyStatus.ts';
import type { Long } from '@grpc/proto-loader';

export interface NodeStatus {
  'node'?: (string);
  'systemIdentifier'?: (string);
  'timeline'?: (number);
  'instance'?: (string);
  'agentAddress'?: (string);
  'state'?: (string);
  'problem'?: (string);
  'flushLsn'?: (number | string | Long);
  'acknowledgedLsn'?: (number | string | Long);
  'lagBytes'?: (number | string | Long);
  'lagMs'?: (number | string | Long);
  'copies'?: (_tidemark_v1_CopyStatus)[];
  'lastBackupId'?: (string);
  'synchronous'?: (string);
  'synchronousProblem'?: (string);
}

export interface NodeStatus__Output {
  'node': (string);
  'systemIdentifier': (string);
  'timeline': (number);
  'instance': (string);
  'agentAddress': (string);
  'state': (string);
  'problem': (string);
  'flushLsn': (string);
  'acknowledgedLsn': (string);
  'lagBytes': (string);
  'lagMs': (string);
  'copies': (_tidemark_v1_CopyStatus__Output)[];
  'lastBackupId': (string);
  'synchronous': (string);
  'synchronousProblem': (string);
}
