// Original file: proto/tidemark/v1/admin.proto

import type { InDoubtDecision as _tidemark_v1_InDoubtDecision, InDoubtDecision__Output as _tidemark_v1_InDoubtDecision__Output } from '../../tidemark/v1/InDoubtDecision.ts';
import type { Long } from '@grpc/proto-loader';

export interface NodeRestorePlan {
  'node'?: (string);
  'backupId'?: (string);
  'walFromLsn'?: (number | string | Long);
  'walEndLsn'?: (number | string | Long);
  'targetLsn'?: (number | string | Long);
  'timeline'?: (number);
  'backupBytes'?: (number | string | Long);
  'walBytes'?: (number | string | Long);
  'agentAddress'?: (string);
  'directory'?: (string);
  'inDoubt'?: (_tidemark_v1_InDoubtDecision)[];
}

export interface NodeRestorePlan__Output {
  'node': (string);
  'backupId': (string);
  'walFromLsn': (string);
  'walEndLsn': (string);
  'targetLsn': (string);
  'timeline': (number);
  'backupBytes': (string);
  'walBytes': (string);
  'agentAddress': (string);
  'directory': (string);
  'inDoubt': (_tidemark_v1_InDoubtDecision__Output)[];
}
