// Original file: proto/tidemark/v1/admin.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { Backup as _tidemark_v1_Backup, Backup__Output as _tidemark_v1_Backup__Output } from '../../tidemark/v1/Backup.ts';
import type { BackupEvent as _tidemark_v1_BackupEvent, BackupEvent__Output as _tidemark_v1_BackupEvent__Output } from '../../tidemark/v1/BackupEvent.ts';
import type { CreateBackupRequest as _tidemark_v1_CreateBackupRequest, CreateBackupRequest__Output as _tidemark_v1_CreateBackupRequest__Output } from '../../tidemark/v1/CreateBackupRequest.ts';
import type { CreateSnapshotRequest as _tidemark_v1_CreateSnapshotRequest, CreateSnapshotRequest__Output as _tidemark_v1_CreateSnapshotRequest__Output } from '../../tidemark/v1/CreateSnapshotRequest.ts';
import type { GetBackupRequest as _tidemark_v1_GetBackupRequest, GetBackupRequest__Output as _tidemark_v1_GetBackupRequest__Output } from '../../tidemark/v1/GetBackupRequest.ts';
import type { GetLeaderRequest as _tidemark_v1_GetLeaderRequest, GetLeaderRequest__Output as _tidemark_v1_GetLeaderRequest__Output } from '../../tidemark/v1/GetLeaderRequest.ts';
import type { GetSnapshotRequest as _tidemark_v1_GetSnapshotRequest, GetSnapshotRequest__Output as _tidemark_v1_GetSnapshotRequest__Output } from '../../tidemark/v1/GetSnapshotRequest.ts';
import type { GetStatusRequest as _tidemark_v1_GetStatusRequest, GetStatusRequest__Output as _tidemark_v1_GetStatusRequest__Output } from '../../tidemark/v1/GetStatusRequest.ts';
import type { Leader as _tidemark_v1_Leader, Leader__Output as _tidemark_v1_Leader__Output } from '../../tidemark/v1/Leader.ts';
import type { ListBackupsRequest as _tidemark_v1_ListBackupsRequest, ListBackupsRequest__Output as _tidemark_v1_ListBackupsRequest__Output } from '../../tidemark/v1/ListBackupsRequest.ts';
import type { ListBackupsResponse as _tidemark_v1_ListBackupsResponse, ListBackupsResponse__Output as _tidemark_v1_ListBackupsResponse__Output } from '../../tidemark/v1/ListBackupsResponse.ts';
import type { ListSnapshotsRequest as _tidemark_v1_ListSnapshotsRequest, ListSnapshotsRequest__Output as _tidemark_v1_ListSnapshotsRequest__Output } from '../../tidemark/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponse as _tidemark_v1_ListSnapshotsResponse, ListSnapshotsResponse__Output as _tidemark_v1_ListSnapshotsResponse__Output } from '../../tidemark/v1/ListSnapshotsResponse.ts';
import type { ResignLeaderRequest as _tidemark_v1_ResignLeaderRequest, ResignLeaderRequest__Output as _tidemark_v1_ResignLeaderRequest__Output } from '../../tidemark/v1/ResignLeaderRequest.ts';
import type { RestoreEvent as _tidemark_v1_RestoreEvent, RestoreEvent__Output as _tidemark_v1_RestoreEvent__Output } from '../../tidemark/v1/RestoreEvent.ts';
import type { RestorePlan as _tidemark_v1_RestorePlan, RestorePlan__Output as _tidemark_v1_RestorePlan__Output } from '../../tidemark/v1/RestorePlan.ts';
import type { RestoreRequest as _tidemark_v1_RestoreRequest, RestoreRequest__Output as _tidemark_v1_RestoreRequest__Output } from '../../tidemark/v1/RestoreRequest.ts';
import type { Snapshot as _tidemark_v1_Snapshot, Snapshot__Output as _tidemark_v1_Snapshot__Output } from '../../tidemark/v1/Snapshot.ts';
import type { SnapshotAtRequest as _tidemark_v1_SnapshotAtRequest, SnapshotAtRequest__Output as _tidemark_v1_SnapshotAtRequest__Output } from '../../tidemark/v1/SnapshotAtRequest.ts';
import type { Status as _tidemark_v1_Status, Status__Output as _tidemark_v1_Status__Output } from '../../tidemark/v1/Status.ts';

export interface AdminClient extends grpc.Client {
  CreateBackup(argument: _tidemark_v1_CreateBackupRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BackupEvent__Output>;
  CreateBackup(argument: _tidemark_v1_CreateBackupRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BackupEvent__Output>;
  createBackup(argument: _tidemark_v1_CreateBackupRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BackupEvent__Output>;
  createBackup(argument: _tidemark_v1_CreateBackupRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BackupEvent__Output>;
  
  CreateSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  CreateSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  CreateSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  CreateSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  createSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  createSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  createSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  createSnapshot(argument: _tidemark_v1_CreateSnapshotRequest, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  
  GetBackup(argument: _tidemark_v1_GetBackupRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  GetBackup(argument: _tidemark_v1_GetBackupRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  GetBackup(argument: _tidemark_v1_GetBackupRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  GetBackup(argument: _tidemark_v1_GetBackupRequest, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  getBackup(argument: _tidemark_v1_GetBackupRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  getBackup(argument: _tidemark_v1_GetBackupRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  getBackup(argument: _tidemark_v1_GetBackupRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  getBackup(argument: _tidemark_v1_GetBackupRequest, callback: grpc.requestCallback<_tidemark_v1_Backup__Output>): grpc.ClientUnaryCall;
  
  GetLeader(argument: _tidemark_v1_GetLeaderRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  GetLeader(argument: _tidemark_v1_GetLeaderRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  GetLeader(argument: _tidemark_v1_GetLeaderRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  GetLeader(argument: _tidemark_v1_GetLeaderRequest, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  getLeader(argument: _tidemark_v1_GetLeaderRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  getLeader(argument: _tidemark_v1_GetLeaderRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  getLeader(argument: _tidemark_v1_GetLeaderRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  getLeader(argument: _tidemark_v1_GetLeaderRequest, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  
  GetSnapshot(argument: _tidemark_v1_GetSnapshotRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  GetSnapshot(argument: _tidemark_v1_GetSnapshotRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  GetSnapshot(argument: _tidemark_v1_GetSnapshotRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  GetSnapshot(argument: _tidemark_v1_GetSnapshotRequest, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  getSnapshot(argument: _tidemark_v1_GetSnapshotRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  getSnapshot(argument: _tidemark_v1_GetSnapshotRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  getSnapshot(argument: _tidemark_v1_GetSnapshotRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  getSnapshot(argument: _tidemark_v1_GetSnapshotRequest, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  
  GetStatus(argument: _tidemark_v1_GetStatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _tidemark_v1_GetStatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _tidemark_v1_GetStatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _tidemark_v1_GetStatusRequest, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _tidemark_v1_GetStatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _tidemark_v1_GetStatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _tidemark_v1_GetStatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _tidemark_v1_GetStatusRequest, callback: grpc.requestCallback<_tidemark_v1_Status__Output>): grpc.ClientUnaryCall;
  
  ListBackups(argument: _tidemark_v1_ListBackupsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  ListBackups(argument: _tidemark_v1_ListBackupsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  ListBackups(argument: _tidemark_v1_ListBackupsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  ListBackups(argument: _tidemark_v1_ListBackupsRequest, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  listBackups(argument: _tidemark_v1_ListBackupsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  listBackups(argument: _tidemark_v1_ListBackupsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  listBackups(argument: _tidemark_v1_ListBackupsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  listBackups(argument: _tidemark_v1_ListBackupsRequest, callback: grpc.requestCallback<_tidemark_v1_ListBackupsResponse__Output>): grpc.ClientUnaryCall;
  
  ListSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  ListSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  ListSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  ListSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  listSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  listSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  listSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  listSnapshots(argument: _tidemark_v1_ListSnapshotsRequest, callback: grpc.requestCallback<_tidemark_v1_ListSnapshotsResponse__Output>): grpc.ClientUnaryCall;
  
  PlanRestore(argument: _tidemark_v1_RestoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  PlanRestore(argument: _tidemark_v1_RestoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  PlanRestore(argument: _tidemark_v1_RestoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  PlanRestore(argument: _tidemark_v1_RestoreRequest, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  planRestore(argument: _tidemark_v1_RestoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  planRestore(argument: _tidemark_v1_RestoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  planRestore(argument: _tidemark_v1_RestoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  planRestore(argument: _tidemark_v1_RestoreRequest, callback: grpc.requestCallback<_tidemark_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  
  ResignLeader(argument: _tidemark_v1_ResignLeaderRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  ResignLeader(argument: _tidemark_v1_ResignLeaderRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  ResignLeader(argument: _tidemark_v1_ResignLeaderRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  ResignLeader(argument: _tidemark_v1_ResignLeaderRequest, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  resignLeader(argument: _tidemark_v1_ResignLeaderRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  resignLeader(argument: _tidemark_v1_ResignLeaderRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  resignLeader(argument: _tidemark_v1_ResignLeaderRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  resignLeader(argument: _tidemark_v1_ResignLeaderRequest, callback: grpc.requestCallback<_tidemark_v1_Leader__Output>): grpc.ClientUnaryCall;
  
  Restore(argument: _tidemark_v1_RestoreRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_RestoreEvent__Output>;
  Restore(argument: _tidemark_v1_RestoreRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_RestoreEvent__Output>;
  restore(argument: _tidemark_v1_RestoreRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_RestoreEvent__Output>;
  restore(argument: _tidemark_v1_RestoreRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_RestoreEvent__Output>;
  
  SnapshotAt(argument: _tidemark_v1_SnapshotAtRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  SnapshotAt(argument: _tidemark_v1_SnapshotAtRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  SnapshotAt(argument: _tidemark_v1_SnapshotAtRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  SnapshotAt(argument: _tidemark_v1_SnapshotAtRequest, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  snapshotAt(argument: _tidemark_v1_SnapshotAtRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  snapshotAt(argument: _tidemark_v1_SnapshotAtRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  snapshotAt(argument: _tidemark_v1_SnapshotAtRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  snapshotAt(argument: _tidemark_v1_SnapshotAtRequest, callback: grpc.requestCallback<_tidemark_v1_Snapshot__Output>): grpc.ClientUnaryCall;
  
}

export interface AdminHandlers extends grpc.UntypedServiceImplementation {
  CreateBackup: grpc.handleServerStreamingCall<_tidemark_v1_CreateBackupRequest__Output, _tidemark_v1_BackupEvent>;
  
  CreateSnapshot: grpc.handleUnaryCall<_tidemark_v1_CreateSnapshotRequest__Output, _tidemark_v1_Snapshot>;
  
  GetBackup: grpc.handleUnaryCall<_tidemark_v1_GetBackupRequest__Output, _tidemark_v1_Backup>;
  
  GetLeader: grpc.handleUnaryCall<_tidemark_v1_GetLeaderRequest__Output, _tidemark_v1_Leader>;
  
  GetSnapshot: grpc.handleUnaryCall<_tidemark_v1_GetSnapshotRequest__Output, _tidemark_v1_Snapshot>;
  
  GetStatus: grpc.handleUnaryCall<_tidemark_v1_GetStatusRequest__Output, _tidemark_v1_Status>;
  
  ListBackups: grpc.handleUnaryCall<_tidemark_v1_ListBackupsRequest__Output, _tidemark_v1_ListBackupsResponse>;
  
  ListSnapshots: grpc.handleUnaryCall<_tidemark_v1_ListSnapshotsRequest__Output, _tidemark_v1_ListSnapshotsResponse>;
  
  PlanRestore: grpc.handleUnaryCall<_tidemark_v1_RestoreRequest__Output, _tidemark_v1_RestorePlan>;
  
  ResignLeader: grpc.handleUnaryCall<_tidemark_v1_ResignLeaderRequest__Output, _tidemark_v1_Leader>;
  
  Restore: grpc.handleServerStreamingCall<_tidemark_v1_RestoreRequest__Output, _tidemark_v1_RestoreEvent>;
  
  SnapshotAt: grpc.handleUnaryCall<_tidemark_v1_SnapshotAtRequest__Output, _tidemark_v1_Snapshot>;
  
}

export interface AdminDefinition extends grpc.ServiceDefinition {
  CreateBackup: MethodDefinition<_tidemark_v1_CreateBackupRequest, _tidemark_v1_BackupEvent, _tidemark_v1_CreateBackupRequest__Output, _tidemark_v1_BackupEvent__Output>
  CreateSnapshot: MethodDefinition<_tidemark_v1_CreateSnapshotRequest, _tidemark_v1_Snapshot, _tidemark_v1_CreateSnapshotRequest__Output, _tidemark_v1_Snapshot__Output>
  GetBackup: MethodDefinition<_tidemark_v1_GetBackupRequest, _tidemark_v1_Backup, _tidemark_v1_GetBackupRequest__Output, _tidemark_v1_Backup__Output>
  GetLeader: MethodDefinition<_tidemark_v1_GetLeaderRequest, _tidemark_v1_Leader, _tidemark_v1_GetLeaderRequest__Output, _tidemark_v1_Leader__Output>
  GetSnapshot: MethodDefinition<_tidemark_v1_GetSnapshotRequest, _tidemark_v1_Snapshot, _tidemark_v1_GetSnapshotRequest__Output, _tidemark_v1_Snapshot__Output>
  GetStatus: MethodDefinition<_tidemark_v1_GetStatusRequest, _tidemark_v1_Status, _tidemark_v1_GetStatusRequest__Output, _tidemark_v1_Status__Output>
  ListBackups: MethodDefinition<_tidemark_v1_ListBackupsRequest, _tidemark_v1_ListBackupsResponse, _tidemark_v1_ListBackupsRequest__Output, _tidemark_v1_ListBackupsResponse__Output>
  ListSnapshots: MethodDefinition<_tidemark_v1_ListSnapshotsRequest, _tidemark_v1_ListSnapshotsResponse, _tidemark_v1_ListSnapshotsRequest__Output, _tidemark_v1_ListSnapshotsResponse__Output>
  PlanRestore: MethodDefinition<_tidemark_v1_RestoreRequest, _tidemark_v1_RestorePlan, _tidemark_v1_RestoreRequest__Output, _tidemark_v1_RestorePlan__Output>
  ResignLeader: MethodDefinition<_tidemark_v1_ResignLeaderRequest, _tidemark_v1_Leader, _tidemark_v1_ResignLeaderRequest__Output, _tidemark_v1_Leader__Output>
  Restore: MethodDefinition<_tidemark_v1_RestoreRequest, _tidemark_v1_RestoreEvent, _tidemark_v1_RestoreRequest__Output, _tidemark_v1_RestoreEvent__Output>
  SnapshotAt: MethodDefinition<_tidemark_v1_SnapshotAtRequest, _tidemark_v1_Snapshot, _tidemark_v1_SnapshotAtRequest__Output, _tidemark_v1_Snapshot__Output>
}
