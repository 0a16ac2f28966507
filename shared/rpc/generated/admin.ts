import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AdminClient as _tidemark_v1_AdminClient, AdminDefinition as _tidemark_v1_AdminDefinition } from './tidemark/v1/Admin.ts';
import type { Backup as _tidemark_v1_Backup, Backup__Output as _tidemark_v1_Backup__Output } from './tidemark/v1/Backup.ts';
import type { BackupEvent as _tidemark_v1_BackupEvent, BackupEvent__Output as _tidemark_v1_BackupEvent__Output } from './tidemark/v1/BackupEvent.ts';
import type { BrokenBranch as _tidemark_v1_BrokenBranch, BrokenBranch__Output as _tidemark_v1_BrokenBranch__Output } from './tidemark/v1/BrokenBranch.ts';
import type { BrokenTransaction as _tidemark_v1_BrokenTransaction, BrokenTransaction__Output as _tidemark_v1_BrokenTransaction__Output } from './tidemark/v1/BrokenTransaction.ts';
import type { ChangeSet as _tidemark_v1_ChangeSet, ChangeSet__Output as _tidemark_v1_ChangeSet__Output } from './tidemark/v1/ChangeSet.ts';
import type { ClockReading as _tidemark_v1_ClockReading, ClockReading__Output as _tidemark_v1_ClockReading__Output } from './tidemark/v1/ClockReading.ts';
import type { CoordinatorStatus as _tidemark_v1_CoordinatorStatus, CoordinatorStatus__Output as _tidemark_v1_CoordinatorStatus__Output } from './tidemark/v1/CoordinatorStatus.ts';
import type { CopyStatus as _tidemark_v1_CopyStatus, CopyStatus__Output as _tidemark_v1_CopyStatus__Output } from './tidemark/v1/CopyStatus.ts';
import type { CreateBackupRequest as _tidemark_v1_CreateBackupRequest, CreateBackupRequest__Output as _tidemark_v1_CreateBackupRequest__Output } from './tidemark/v1/CreateBackupRequest.ts';
import type { CreateSnapshotRequest as _tidemark_v1_CreateSnapshotRequest, CreateSnapshotRequest__Output as _tidemark_v1_CreateSnapshotRequest__Output } from './tidemark/v1/CreateSnapshotRequest.ts';
import type { CutPosition as _tidemark_v1_CutPosition, CutPosition__Output as _tidemark_v1_CutPosition__Output } from './tidemark/v1/CutPosition.ts';
import type { ErrorDetail as _tidemark_v1_ErrorDetail, ErrorDetail__Output as _tidemark_v1_ErrorDetail__Output } from './tidemark/v1/ErrorDetail.ts';
import type { Fence as _tidemark_v1_Fence, Fence__Output as _tidemark_v1_Fence__Output } from './tidemark/v1/Fence.ts';
import type { GetBackupRequest as _tidemark_v1_GetBackupRequest, GetBackupRequest__Output as _tidemark_v1_GetBackupRequest__Output } from './tidemark/v1/GetBackupRequest.ts';
import type { GetLeaderRequest as _tidemark_v1_GetLeaderRequest, GetLeaderRequest__Output as _tidemark_v1_GetLeaderRequest__Output } from './tidemark/v1/GetLeaderRequest.ts';
import type { GetSnapshotRequest as _tidemark_v1_GetSnapshotRequest, GetSnapshotRequest__Output as _tidemark_v1_GetSnapshotRequest__Output } from './tidemark/v1/GetSnapshotRequest.ts';
import type { GetStatusRequest as _tidemark_v1_GetStatusRequest, GetStatusRequest__Output as _tidemark_v1_GetStatusRequest__Output } from './tidemark/v1/GetStatusRequest.ts';
import type { InDoubtDecision as _tidemark_v1_InDoubtDecision, InDoubtDecision__Output as _tidemark_v1_InDoubtDecision__Output } from './tidemark/v1/InDoubtDecision.ts';
import type { Leader as _tidemark_v1_Leader, Leader__Output as _tidemark_v1_Leader__Output } from './tidemark/v1/Leader.ts';
import type { ListBackupsRequest as _tidemark_v1_ListBackupsRequest, ListBackupsRequest__Output as _tidemark_v1_ListBackupsRequest__Output } from './tidemark/v1/ListBackupsRequest.ts';
import type { ListBackupsResponse as _tidemark_v1_ListBackupsResponse, ListBackupsResponse__Output as _tidemark_v1_ListBackupsResponse__Output } from './tidemark/v1/ListBackupsResponse.ts';
import type { ListSnapshotsRequest as _tidemark_v1_ListSnapshotsRequest, ListSnapshotsRequest__Output as _tidemark_v1_ListSnapshotsRequest__Output } from './tidemark/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponse as _tidemark_v1_ListSnapshotsResponse, ListSnapshotsResponse__Output as _tidemark_v1_ListSnapshotsResponse__Output } from './tidemark/v1/ListSnapshotsResponse.ts';
import type { LongPrepared as _tidemark_v1_LongPrepared, LongPrepared__Output as _tidemark_v1_LongPrepared__Output } from './tidemark/v1/LongPrepared.ts';
import type { NodeRestorePlan as _tidemark_v1_NodeRestorePlan, NodeRestorePlan__Output as _tidemark_v1_NodeRestorePlan__Output } from './tidemark/v1/NodeRestorePlan.ts';
import type { NodeStatus as _tidemark_v1_NodeStatus, NodeStatus__Output as _tidemark_v1_NodeStatus__Output } from './tidemark/v1/NodeStatus.ts';
import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from './tidemark/v1/Progress.ts';
import type { ResignLeaderRequest as _tidemark_v1_ResignLeaderRequest, ResignLeaderRequest__Output as _tidemark_v1_ResignLeaderRequest__Output } from './tidemark/v1/ResignLeaderRequest.ts';
import type { RestoreEvent as _tidemark_v1_RestoreEvent, RestoreEvent__Output as _tidemark_v1_RestoreEvent__Output } from './tidemark/v1/RestoreEvent.ts';
import type { RestorePlan as _tidemark_v1_RestorePlan, RestorePlan__Output as _tidemark_v1_RestorePlan__Output } from './tidemark/v1/RestorePlan.ts';
import type { RestoreReport as _tidemark_v1_RestoreReport, RestoreReport__Output as _tidemark_v1_RestoreReport__Output } from './tidemark/v1/RestoreReport.ts';
import type { RestoreRequest as _tidemark_v1_RestoreRequest, RestoreRequest__Output as _tidemark_v1_RestoreRequest__Output } from './tidemark/v1/RestoreRequest.ts';
import type { RestoreTargetSpec as _tidemark_v1_RestoreTargetSpec, RestoreTargetSpec__Output as _tidemark_v1_RestoreTargetSpec__Output } from './tidemark/v1/RestoreTargetSpec.ts';
import type { RestoredNode as _tidemark_v1_RestoredNode, RestoredNode__Output as _tidemark_v1_RestoredNode__Output } from './tidemark/v1/RestoredNode.ts';
import type { Snapshot as _tidemark_v1_Snapshot, Snapshot__Output as _tidemark_v1_Snapshot__Output } from './tidemark/v1/Snapshot.ts';
import type { SnapshotAtRequest as _tidemark_v1_SnapshotAtRequest, SnapshotAtRequest__Output as _tidemark_v1_SnapshotAtRequest__Output } from './tidemark/v1/SnapshotAtRequest.ts';
import type { Status as _tidemark_v1_Status, Status__Output as _tidemark_v1_Status__Output } from './tidemark/v1/Status.ts';
import type { TimelineHistory as _tidemark_v1_TimelineHistory, TimelineHistory__Output as _tidemark_v1_TimelineHistory__Output } from './tidemark/v1/TimelineHistory.ts';
import type { WalStream as _tidemark_v1_WalStream, WalStream__Output as _tidemark_v1_WalStream__Output } from './tidemark/v1/WalStream.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  tidemark: {
    v1: {
      Admin: SubtypeConstructor<typeof grpc.Client, _tidemark_v1_AdminClient> & { service: _tidemark_v1_AdminDefinition }
      Backup: MessageTypeDefinition<_tidemark_v1_Backup, _tidemark_v1_Backup__Output>
      BackupEvent: MessageTypeDefinition<_tidemark_v1_BackupEvent, _tidemark_v1_BackupEvent__Output>
      BrokenBranch: MessageTypeDefinition<_tidemark_v1_BrokenBranch, _tidemark_v1_BrokenBranch__Output>
      BrokenTransaction: MessageTypeDefinition<_tidemark_v1_BrokenTransaction, _tidemark_v1_BrokenTransaction__Output>
      ChangeSet: MessageTypeDefinition<_tidemark_v1_ChangeSet, _tidemark_v1_ChangeSet__Output>
      ClockReading: MessageTypeDefinition<_tidemark_v1_ClockReading, _tidemark_v1_ClockReading__Output>
      CoordinatorStatus: MessageTypeDefinition<_tidemark_v1_CoordinatorStatus, _tidemark_v1_CoordinatorStatus__Output>
      CopyStatus: MessageTypeDefinition<_tidemark_v1_CopyStatus, _tidemark_v1_CopyStatus__Output>
      CreateBackupRequest: MessageTypeDefinition<_tidemark_v1_CreateBackupRequest, _tidemark_v1_CreateBackupRequest__Output>
      CreateSnapshotRequest: MessageTypeDefinition<_tidemark_v1_CreateSnapshotRequest, _tidemark_v1_CreateSnapshotRequest__Output>
      CutPosition: MessageTypeDefinition<_tidemark_v1_CutPosition, _tidemark_v1_CutPosition__Output>
      ErrorDetail: MessageTypeDefinition<_tidemark_v1_ErrorDetail, _tidemark_v1_ErrorDetail__Output>
      Fence: MessageTypeDefinition<_tidemark_v1_Fence, _tidemark_v1_Fence__Output>
      GetBackupRequest: MessageTypeDefinition<_tidemark_v1_GetBackupRequest, _tidemark_v1_GetBackupRequest__Output>
      GetLeaderRequest: MessageTypeDefinition<_tidemark_v1_GetLeaderRequest, _tidemark_v1_GetLeaderRequest__Output>
      GetSnapshotRequest: MessageTypeDefinition<_tidemark_v1_GetSnapshotRequest, _tidemark_v1_GetSnapshotRequest__Output>
      GetStatusRequest: MessageTypeDefinition<_tidemark_v1_GetStatusRequest, _tidemark_v1_GetStatusRequest__Output>
      InDoubtDecision: MessageTypeDefinition<_tidemark_v1_InDoubtDecision, _tidemark_v1_InDoubtDecision__Output>
      Leader: MessageTypeDefinition<_tidemark_v1_Leader, _tidemark_v1_Leader__Output>
      ListBackupsRequest: MessageTypeDefinition<_tidemark_v1_ListBackupsRequest, _tidemark_v1_ListBackupsRequest__Output>
      ListBackupsResponse: MessageTypeDefinition<_tidemark_v1_ListBackupsResponse, _tidemark_v1_ListBackupsResponse__Output>
      ListSnapshotsRequest: MessageTypeDefinition<_tidemark_v1_ListSnapshotsRequest, _tidemark_v1_ListSnapshotsRequest__Output>
      ListSnapshotsResponse: MessageTypeDefinition<_tidemark_v1_ListSnapshotsResponse, _tidemark_v1_ListSnapshotsResponse__Output>
      LongPrepared: MessageTypeDefinition<_tidemark_v1_LongPrepared, _tidemark_v1_LongPrepared__Output>
      NodeRestorePlan: MessageTypeDefinition<_tidemark_v1_NodeRestorePlan, _tidemark_v1_NodeRestorePlan__Output>
      NodeStatus: MessageTypeDefinition<_tidemark_v1_NodeStatus, _tidemark_v1_NodeStatus__Output>
      Progress: MessageTypeDefinition<_tidemark_v1_Progress, _tidemark_v1_Progress__Output>
      ResignLeaderRequest: MessageTypeDefinition<_tidemark_v1_ResignLeaderRequest, _tidemark_v1_ResignLeaderRequest__Output>
      RestoreEvent: MessageTypeDefinition<_tidemark_v1_RestoreEvent, _tidemark_v1_RestoreEvent__Output>
      RestorePlan: MessageTypeDefinition<_tidemark_v1_RestorePlan, _tidemark_v1_RestorePlan__Output>
      RestoreReport: MessageTypeDefinition<_tidemark_v1_RestoreReport, _tidemark_v1_RestoreReport__Output>
      RestoreRequest: MessageTypeDefinition<_tidemark_v1_RestoreRequest, _tidemark_v1_RestoreRequest__Output>
      RestoreTargetSpec: MessageTypeDefinition<_tidemark_v1_RestoreTargetSpec, _tidemark_v1_RestoreTargetSpec__Output>
      RestoredNode: MessageTypeDefinition<_tidemark_v1_RestoredNode, _tidemark_v1_RestoredNode__Output>
      Snapshot: MessageTypeDefinition<_tidemark_v1_Snapshot, _tidemark_v1_Snapshot__Output>
      SnapshotAtRequest: MessageTypeDefinition<_tidemark_v1_SnapshotAtRequest, _tidemark_v1_SnapshotAtRequest__Output>
      Status: MessageTypeDefinition<_tidemark_v1_Status, _tidemark_v1_Status__Output>
      TimelineHistory: MessageTypeDefinition<_tidemark_v1_TimelineHistory, _tidemark_v1_TimelineHistory__Output>
      WalStream: MessageTypeDefinition<_tidemark_v1_WalStream, _tidemark_v1_WalStream__Output>
    }
  }
}

