// Original file: proto/tidemark/v1/admin.proto

import type { BrokenBranch as _tidemark_v1_BrokenBranch, BrokenBranch__Output as _tidemark_v1_BrokenBranch__Output } from '../../tidemark/v1/BrokenBranch.ts';
import type { Long } from '@grpc/proto-loader';

export interface BrokenTransaction {
  'kind'?: (string);
  'gid'?: (string);
  'reason'?: (string);
  'foundAtUs'?: (number | string | Long);
  'branches'?: (_tidemark_v1_BrokenBranch)[];
}

export interface BrokenTransaction__Output {
  'kind': (string);
  'gid': (string);
  'reason': (string);
  'foundAtUs': (string);
  'branches': (_tidemark_v1_BrokenBranch__Output)[];
}
