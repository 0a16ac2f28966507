import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { ChangeSet as _tidemark_v1_ChangeSet, ChangeSet__Output as _tidemark_v1_ChangeSet__Output } from './tidemark/v1/ChangeSet.ts';
import type { ClockReading as _tidemark_v1_ClockReading, ClockReading__Output as _tidemark_v1_ClockReading__Output } from './tidemark/v1/ClockReading.ts';
import type { ErrorDetail as _tidemark_v1_ErrorDetail, ErrorDetail__Output as _tidemark_v1_ErrorDetail__Output } from './tidemark/v1/ErrorDetail.ts';
import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from './tidemark/v1/Fence.ts';
import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from './tidemark/v1/Progress.ts';
import type { TimelineHistory as _tidemark_v1_TimelineHistory, TimelineHistory__Output as _tidemark_v1_TimelineHistory__Output } from './tidemark/v1/TimelineHistory.ts';
import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from './tidemark/v1/WalStream.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  tidemark: {
    v1: {
      ChangeSet: MessageTypeDefinition<_tidemark_v1_ChangeSet, _tidemark_v1_ChangeSet__Output>
      ClockReading: MessageTypeDefinition<_tidemark_v1_ClockReading, _tidemark_v1_ClockReading__Output>
      ErrorDetail: MessageTypeDefinition<_tidemark_v1_ErrorDetail, _tidemark_v1_ErrorDetail__Output>
      Fence: MessageTypeDefinition<_tidemark_v1_Fence, _tidemark_v1_Fence__Output>
      Progress: MessageTypeDefinition<_tidemark_v1_Progress, _tidemark_v1_Progress__Output>
      TimelineHistory: MessageTypeDefinition<_tidemark_v1_TimelineHistory, _tidemark_v1_TimelineHistory__Output>
      WalStream: MessageTypeDefinition<_tidemark_v1_WalStream, _tidemark_v1_WalStream__Output>
    }
  }
}

