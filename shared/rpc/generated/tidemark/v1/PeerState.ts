// Original file: proto/tidemark/v1/coordinator.proto

import type { WalPosition as _tidemark_v1_WalPosition, WalPosition__Output as _tidemark_v1_WalPosition__Output } from '../../tidemark/v1/WalPosition.ts';
import type { Long } from '@grpc/proto-loader';

export interface PeerState {
  'coordinatorId'?: (string);
  'dataCenter'?: (string);
  'repositoryId'?: (string);
  'highestTerm'?: (number | string | Long);
  'positions'?: (_tidemark_v1_WalPosition)[];
  'storageProblems'?: (string)[];
  'backupsTaken'?: (string)[];
}

export interface PeerState__Output {
  'coordinatorId': (string);
  'dataCenter': (string);
  'repositoryId': (string);
  'highestTerm': (string);
  'positions': (_tidemark_v1_WalPosition__Output)[];
  'storageProblems': (string)[];
  'backupsTaken': (string)[];
}
