// Original file: proto/tidemark/v1/agent.proto

import type { SynchronousMode as _tidemark_v1_SynchronousMode, SynchronousMode__Output as _tidemark_v1_SynchronousMode__Output } from '../../tidemark/v1/SynchronousMode.ts';
import type { Long } from '@grpc/proto-loader';

export interface Instance {
  'node'?: (string);
  'instance'?: (string);
  'systemIdentifier'?: (string);
  'timeline'?: (number);
  'inRecovery'?: (boolean);
  'serverVersionNum'?: (number);
  'walSegmentBytes'?: (number);
  'dataDirectory'?: (string);
  'slot'?: (string);
  'slotRestartLsn'?: (number | string | Long);
  'flushLsn'?: (number | string | Long);
  'dataChecksums'?: (boolean);
  'advertisedAddress'?: (string);
  'highestTerm'?: (number | string | Long);
  'postgresReachable'?: (boolean);
  'problem'?: (string);
  'synchronous'?: (_tidemark_v1_SynchronousMode | null);
}

export interface Instance__Output {
  'node': (string);
  'instance': (string);
  'systemIdentifier': (string);
  'timeline': (number);
  'inRecovery': (boolean);
  'serverVersionNum': (number);
  'walSegmentBytes': (number);
  'dataDirectory': (string);
  'slot': (string);
  'slotRestartLsn': (string);
  'flushLsn': (string);
  'dataChecksums': (boolean);
  'advertisedAddress': (string);
  'highestTerm': (string);
  'postgresReachable': (boolean);
  'problem': (string);
  'synchronous': (_tidemark_v1_SynchronousMode__Output | null);
}
