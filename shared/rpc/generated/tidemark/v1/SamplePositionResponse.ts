// Original file: proto/tidemark/v1/agent.proto

import type { SynchronousMode as _tidemark_v1_SynchronousMode, SynchronousMode__Output as _tidemark_v1_SynchronousMode__Output } from '../../tidemark/v1/SynchronousMode.ts';
import type { Long } from '@grpc/proto-loader';

export interface SamplePositionResponse {
  'insertLsn'?: (number | string | Long);
  'timeline'?: (number);
  'systemIdentifier'?: (string);
  'nodeTimeUs'?: (number | string | Long);
  'synchronous'?: (_tidemark_v1_SynchronousMode | null);
  'beforeUs'?: (number);
  'afterUs'?: (number);
  'readingUs'?: (number);
  'arrivedUs'?: (number | string | Long);
}

export interface SamplePositionResponse__Output {
  'insertLsn': (string);
  'timeline': (number);
  'systemIdentifier': (string);
  'nodeTimeUs': (string);
  'synchronous': (_tidemark_v1_SynchronousMode__Output | null);
  'beforeUs': (number);
  'afterUs': (number);
  'readingUs': (number);
  'arrivedUs': (string);
}
