import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AbandonRestoreResponse as _tidemark_v1_AbandonRestoreResponse, AbandonRestoreResponse__Output as _tidemark_v1_AbandonRestoreResponse__Output } from './tidemark/v1/AbandonRestoreResponse.ts';
import type { AgentClient as _tidemark_v1_AgentClient, AgentDefinition as _tidemark_v1_AgentDefinition } from './tidemark/v1/Agent.ts';
import type { BackupSource as _tidemark_v1_BackupSource, BackupSource__Output as _tidemark_v1_BackupSource__Output } from './tidemark/v1/BackupSource.ts';
import type { BaseBackupMessage as _tidemark_v1_BaseBackupMessage, BaseBackupMessage__Output as _tidemark_v1_BaseBackupMessage__Output } from './tidemark/v1/BaseBackupMessage.ts';
import type { ChangeSet as _tidemark_v1_ChangeSet, ChangeSet__Output as _tidemark_v1_ChangeSet__Output } from './tidemark/v1/ChangeSet.ts';
import type { CheckRestoredRequest as _tidemark_v1_CheckRestoredRequest, CheckRestoredRequest__Output as _tidemark_v1_CheckRestoredRequest__Output } from './tidemark/v1/CheckRestoredRequest.ts';
import type { CheckRestoredResponse as _tidemark_v1_CheckRestoredResponse, CheckRestoredResponse__Output as _tidemark_v1_CheckRestoredResponse__Output } from './tidemark/v1/CheckRestoredResponse.ts';
import type { ClockReading as _tidemark_v1_ClockReading, ClockReading__Output as _tidemark_v1_ClockReading__Output } from './tidemark/v1/ClockReading.ts';
import type { ErrorDetail as _tidemark_v1_ErrorDetail, ErrorDetail__Output as _tidemark_v1_ErrorDetail__Output } from './tidemark/v1/ErrorDetail.ts';
import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from './tidemark/v1/Fence.ts';
import type { FollowObjectsRequest as _tidemark_v1_FollowObjectsRequest, FollowObjectsRequest__Output as _tidemark_v1_FollowObjectsRequest__Output } from './tidemark/v1/FollowObjectsRequest.ts';
import type { FollowObjectsResponse as _tidemark_v1_FollowObjectsResponse, FollowObjectsResponse__Output as _tidemark_v1_FollowObjectsResponse__Output } from './tidemark/v1/FollowObjectsResponse.ts';
import type { FollowWalRequest as _tidemark_v1_FollowWalRequest, FollowWalRequest__Output as _tidemark_v1_FollowWalRequest__Output } from './tidemark/v1/FollowWalRequest.ts';
import type { FollowWalResponse as _tidemark_v1_FollowWalResponse, FollowWalResponse__Output as _tidemark_v1_FollowWalResponse__Output } from './tidemark/v1/FollowWalResponse.ts';
import type { GetInstanceRequest as _tidemark_v1_GetInstanceRequest, GetInstanceRequest__Output as _tidemark_v1_GetInstanceRequest__Output } from './tidemark/v1/GetInstanceRequest.ts';
import type { GetPeerStateRequest as _tidemark_v1_GetPeerStateRequest, GetPeerStateRequest__Output as _tidemark_v1_GetPeerStateRequest__Output } from './tidemark/v1/GetPeerStateRequest.ts';
import type { InDoubtBranch as _tidemark_v1_InDoubtBranch, InDoubtBranch__Output as _tidemark_v1_InDoubtBranch__Output } from './tidemark/v1/InDoubtBranch.ts';
import type { Instance as _tidemark_v1_Instance, Instance__Output as _tidemark_v1_Instance__Output } from './tidemark/v1/Instance.ts';
import type { ListObjectsRequest as _tidemark_v1_ListObjectsRequest, ListObjectsRequest__Output as _tidemark_v1_ListObjectsRequest__Output } from './tidemark/v1/ListObjectsRequest.ts';
import type { ObjectChunk as _tidemark_v1_ObjectChunk, ObjectChunk__Output as _tidemark_v1_ObjectChunk__Output } from './tidemark/v1/ObjectChunk.ts';
import type { ObjectEntry as _tidemark_v1_ObjectEntry, ObjectEntry__Output as _tidemark_v1_ObjectEntry__Output } from './tidemark/v1/ObjectEntry.ts';
import type { OpenRestoredResponse as _tidemark_v1_OpenRestoredResponse, OpenRestoredResponse__Output as _tidemark_v1_OpenRestoredResponse__Output } from './tidemark/v1/OpenRestoredResponse.ts';
import type { PeerClient as _tidemark_v1_PeerClient, PeerDefinition as _tidemark_v1_PeerDefinition } from './tidemark/v1/Peer.ts';
import type { PeerState as _tidemark_v1_PeerState, PeerState__Output as _tidemark_v1_PeerState__Output } from './tidemark/v1/PeerState.ts';
import type { PrepareRestoreRequest as _tidemark_v1_PrepareRestoreRequest, PrepareRestoreRequest__Output as _tidemark_v1_PrepareRestoreRequest__Output } from './tidemark/v1/PrepareRestoreRequest.ts';
import type { PreparedTransaction as _tidemark_v1_PreparedTransaction, PreparedTransaction__Output as _tidemark_v1_PreparedTransaction__Output } from './tidemark/v1/PreparedTransaction.ts';
import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from './tidemark/v1/Progress.ts';
import type { PromoteResponse as _tidemark_v1_PromoteResponse, PromoteResponse__Output as _tidemark_v1_PromoteResponse__Output } from './tidemark/v1/PromoteResponse.ts';
import type { PullWalRequest as _tidemark_v1_PullWalRequest, PullWalRequest__Output as _tidemark_v1_PullWalRequest__Output } from './tidemark/v1/PullWalRequest.ts';
import type { PullWalResponse as _tidemark_v1_PullWalResponse, PullWalResponse__Output as _tidemark_v1_PullWalResponse__Output } from './tidemark/v1/PullWalResponse.ts';
import type { ReadObjectRequest as _tidemark_v1_ReadObjectRequest, ReadObjectRequest__Output as _tidemark_v1_ReadObjectRequest__Output } from './tidemark/v1/ReadObjectRequest.ts';
import type { RegisterRequest as _tidemark_v1_RegisterRequest, RegisterRequest__Output as _tidemark_v1_RegisterRequest__Output } from './tidemark/v1/RegisterRequest.ts';
import type { RegisterResponse as _tidemark_v1_RegisterResponse, RegisterResponse__Output as _tidemark_v1_RegisterResponse__Output } from './tidemark/v1/RegisterResponse.ts';
import type { RegistryClient as _tidemark_v1_RegistryClient, RegistryDefinition as _tidemark_v1_RegistryDefinition } from './tidemark/v1/Registry.ts';
import type { RepositoryClient as _tidemark_v1_RepositoryClient, RepositoryDefinition as _tidemark_v1_RepositoryDefinition } from './tidemark/v1/Repository.ts';
import type { ResolveInDoubtRequest as _tidemark_v1_ResolveInDoubtRequest, ResolveInDoubtRequest__Output as _tidemark_v1_ResolveInDoubtRequest__Output } from './tidemark/v1/ResolveInDoubtRequest.ts';
import type { ResolveInDoubtResponse as _tidemark_v1_ResolveInDoubtResponse, ResolveInDoubtResponse__Output as _tidemark_v1_ResolveInDoubtResponse__Output } from './tidemark/v1/ResolveInDoubtResponse.ts';
import type { RestoreStepRequest as _tidemark_v1_RestoreStepRequest, RestoreStepRequest__Output as _tidemark_v1_RestoreStepRequest__Output } from './tidemark/v1/RestoreStepRequest.ts';
import type { RestoreTargetClient as _tidemark_v1_RestoreTargetClient, RestoreTargetDefinition as _tidemark_v1_RestoreTargetDefinition } from './tidemark/v1/RestoreTarget.ts';
import type { SamplePositionRequest as _tidemark_v1_SamplePositionRequest, SamplePositionRequest__Output as _tidemark_v1_SamplePositionRequest__Output } from './tidemark/v1/SamplePositionRequest.ts';
import type { SamplePositionResponse as _tidemark_v1_SamplePositionResponse, SamplePositionResponse__Output as _tidemark_v1_SamplePositionResponse__Output } from './tidemark/v1/SamplePositionResponse.ts';
import type { StatObjectRequest as _tidemark_v1_StatObjectRequest, StatObjectRequest__Output as _tidemark_v1_StatObjectRequest__Output } from './tidemark/v1/StatObjectRequest.ts';
import type { SynchronousMode as _tidemark_v1_SynchronousMode, SynchronousMode__Output as _tidemark_v1_SynchronousMode__Output } from './tidemark/v1/SynchronousMode.ts';
import type { TakeBaseBackupRequest as _tidemark_v1_TakeBaseBackupRequest, TakeBaseBackupRequest__Output as _tidemark_v1_TakeBaseBackupRequest__Output } from './tidemark/v1/TakeBaseBackupRequest.ts';
import type { TimelineHistory as _tidemark_v1_TimelineHistory, TimelineHistory__Output as _tidemark_v1_TimelineHistory__Output } from './tidemark/v1/TimelineHistory.ts';
import type { WalPosition as _tidemark_v1_WalPosition, WalPosition__Output as _tidemark_v1_WalPosition__Output } from './tidemark/v1/WalPosition.ts';
import type { WalRun as _tidemark_v1_WalRun, WalRun__Output as _tidemark_v1_WalRun__Output } from './tidemark/v1/WalRun.ts';
import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from './tidemark/v1/WalStream.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  tidemark: {
    v1: {
      AbandonRestoreResponse: MessageTypeDefinition<_tidemark_v1_AbandonRestoreResponse, _tidemark_v1_AbandonRestoreResponse__Output>
      Agent: SubtypeConstructor<typeof grpc.Client, _tidemark_v1_AgentClient> & { service: _tidemark_v1_AgentDefinition }
      BackupSource: MessageTypeDefinition<_tidemark_v1_BackupSource, _tidemark_v1_BackupSource__Output>
      BaseBackupMessage: MessageTypeDefinition<_tidemark_v1_BaseBackupMessage, _tidemark_v1_BaseBackupMessage__Output>
      ChangeSet: MessageTypeDefinition<_tidemark_v1_ChangeSet, _tidemark_v1_ChangeSet__Output>
      CheckRestoredRequest: MessageTypeDefinition<_tidemark_v1_CheckRestoredRequest, _tidemark_v1_CheckRestoredRequest__Output>
      CheckRestoredResponse: MessageTypeDefinition<_tidemark_v1_CheckRestoredResponse, _tidemark_v1_CheckRestoredResponse__Output>
      ClockReading: MessageTypeDefinition<_tidemark_v1_ClockReading, _tidemark_v1_ClockReading__Output>
      ErrorDetail: MessageTypeDefinition<_tidemark_v1_ErrorDetail, _tidemark_v1_ErrorDetail__Output>
      Fence: MessageTypeDefinition<_tidemark_v1_Fence, _tidemark_v1_Fence__Output>
      FollowObjectsRequest: MessageTypeDefinition<_tidemark_v1_FollowObjectsRequest, _tidemark_v1_FollowObjectsRequest__Output>
      FollowObjectsResponse: MessageTypeDefinition<_tidemark_v1_FollowObjectsResponse, _tidemark_v1_FollowObjectsResponse__Output>
      FollowWalRequest: MessageTypeDefinition<_tidemark_v1_FollowWalRequest, _tidemark_v1_FollowWalRequest__Output>
      FollowWalResponse: MessageTypeDefinition<_tidemark_v1_FollowWalResponse, _tidemark_v1_FollowWalResponse__Output>
      GetInstanceRequest: MessageTypeDefinition<_tidemark_v1_GetInstanceRequest, _tidemark_v1_GetInstanceRequest__Output>
      GetPeerStateRequest: MessageTypeDefinition<_tidemark_v1_GetPeerStateRequest, _tidemark_v1_GetPeerStateRequest__Output>
      InDoubtBranch: MessageTypeDefinition<_tidemark_v1_InDoubtBranch, _tidemark_v1_InDoubtBranch__Output>
      Instance: MessageTypeDefinition<_tidemark_v1_Instance, _tidemark_v1_Instance__Output>
      ListObjectsRequest: MessageTypeDefinition<_tidemark_v1_ListObjectsRequest, _tidemark_v1_ListObjectsRequest__Output>
      ObjectChunk: MessageTypeDefinition<_tidemark_v1_ObjectChunk, _tidemark_v1_ObjectChunk__Output>
      ObjectEntry: MessageTypeDefinition<_tidemark_v1_ObjectEntry, _tidemark_v1_ObjectEntry__Output>
      OpenRestoredResponse: MessageTypeDefinition<_tidemark_v1_OpenRestoredResponse, _tidemark_v1_OpenRestoredResponse__Output>
      Peer: SubtypeConstructor<typeof grpc.Client, _tidemark_v1_PeerClient> & { service: _tidemark_v1_PeerDefinition }
      PeerState: MessageTypeDefinition<_tidemark_v1_PeerState, _tidemark_v1_PeerState__Output>
      PrepareRestoreRequest: MessageTypeDefinition<_tidemark_v1_PrepareRestoreRequest, _tidemark_v1_PrepareRestoreRequest__Output>
      PreparedTransaction: MessageTypeDefinition<_tidemark_v1_PreparedTransaction, _tidemark_v1_PreparedTransaction__Output>
      Progress: MessageTypeDefinition<_tidemark_v1_Progress, _tidemark_v1_Progress__Output>
      PromoteResponse: MessageTypeDefinition<_tidemark_v1_PromoteResponse, _tidemark_v1_PromoteResponse__Output>
      PullWalRequest: MessageTypeDefinition<_tidemark_v1_PullWalRequest, _tidemark_v1_PullWalRequest__Output>
      PullWalResponse: MessageTypeDefinition<_tidemark_v1_PullWalResponse, _tidemark_v1_PullWalResponse__Output>
      ReadObjectRequest: MessageTypeDefinition<_tidemark_v1_ReadObjectRequest, _tidemark_v1_ReadObjectRequest__Output>
      RegisterRequest: MessageTypeDefinition<_tidemark_v1_RegisterRequest, _tidemark_v1_RegisterRequest__Output>
      RegisterResponse: MessageTypeDefinition<_tidemark_v1_RegisterResponse, _tidemark_v1_RegisterResponse__Output>
      Registry: SubtypeConstructor<typeof grpc.Client, _tidemark_v1_RegistryClient> & { service: _tidemark_v1_RegistryDefinition }
      Repository: SubtypeConstructor<typeof grpc.Client, _tidemark_v1_RepositoryClient> & { service: _tidemark_v1_RepositoryDefinition }
      ResolveInDoubtRequest: MessageTypeDefinition<_tidemark_v1_ResolveInDoubtRequest, _tidemark_v1_ResolveInDoubtRequest__Output>
      ResolveInDoubtResponse: MessageTypeDefinition<_tidemark_v1_ResolveInDoubtResponse, _tidemark_v1_ResolveInDoubtResponse__Output>
      RestoreStepRequest: MessageTypeDefinition<_tidemark_v1_RestoreStepRequest, _tidemark_v1_RestoreStepRequest__Output>
      RestoreTarget: SubtypeConstructor<typeof grpc.Client, _tidemark_v1_RestoreTargetClient> & { service: _tidemark_v1_RestoreTargetDefinition }
      SamplePositionRequest: MessageTypeDefinition<_tidemark_v1_SamplePositionRequest, _tidemark_v1_SamplePositionRequest__Output>
      SamplePositionResponse: MessageTypeDefinition<_tidemark_v1_SamplePositionResponse, _tidemark_v1_SamplePositionResponse__Output>
      StatObjectRequest: MessageTypeDefinition<_tidemark_v1_StatObjectRequest, _tidemark_v1_StatObjectRequest__Output>
      SynchronousMode: MessageTypeDefinition<_tidemark_v1_SynchronousMode, _tidemark_v1_SynchronousMode__Output>
      TakeBaseBackupRequest: MessageTypeDefinition<_tidemark_v1_TakeBaseBackupRequest, _tidemark_v1_TakeBaseBackupRequest__Output>
      TimelineHistory: MessageTypeDefinition<_tidemark_v1_TimelineHistory, _tidemark_v1_TimelineHistory__Output>
      WalPosition: MessageTypeDefinition<_tidemark_v1_WalPosition, _tidemark_v1_WalPosition__Output>
      WalRun: MessageTypeDefinition<_tidemark_v1_WalRun, _tidemark_v1_WalRun__Output>
      WalStream: MessageTypeDefinition<_tidemark_v1_WalStream, _tidemark_v1_WalStream__Output>
    }
  }
}

