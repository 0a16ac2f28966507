// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface CutPosition {
  'node'?: (string);
  'systemIdentifier'?: (string);
  'timeline'?: (number);
  'targetLsn'?: (number | string | Long);
}

export interface CutPosition__Output {
  'node': (string);
  'systemIdentifier': (string);
  'timeline': (number);
  'targetLsn': (string);
}
