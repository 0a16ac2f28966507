// Original file: proto/tidemark/v1/agent.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AbandonRestoreResponse as _tidemark_v1_AbandonRestoreResponse, AbandonRestoreResponse__Output as _tidemark_v1_AbandonRestoreResponse__Output } from '../../tidemark/v1/AbandonRestoreResponse.ts';
import type { CheckRestoredRequest as _tidemark_v1_CheckRestoredRequest, CheckRestoredRequest__Output as _tidemark_v1_CheckRestoredRequest__Output } from '../../tidemark/v1/CheckRestoredRequest.ts';
import type { CheckRestoredResponse as _tidemark_v1_CheckRestoredResponse, CheckRestoredResponse__Output as _tidemark_v1_CheckRestoredResponse__Output } from '../../tidemark/v1/CheckRestoredResponse.ts';
import type { OpenRestoredResponse as _tidemark_v1_OpenRestoredResponse, OpenRestoredResponse__Output as _tidemark_v1_OpenRestoredResponse__Output } from '../../tidemark/v1/OpenRestoredResponse.ts';
import type { PrepareRestoreRequest as _tidemark_v1_PrepareRestoreRequest, PrepareRestoreRequest__Output as _tidemark_v1_PrepareRestoreRequest__Output } from '../../tidemark/v1/PrepareRestoreRequest.ts';
import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from '../../tidemark/v1/Progress.ts';
import type { PromoteResponse as _tidemark_v1_PromoteResponse, PromoteResponse__Output as _tidemark_v1_PromoteResponse__Output } from '../../tidemark/v1/PromoteResponse.ts';
import type { ResolveInDoubtRequest as _tidemark_v1_ResolveInDoubtRequest, ResolveInDoubtRequest__Output as _tidemark_v1_ResolveInDoubtRequest__Output } from '../../tidemark/v1/ResolveInDoubtRequest.ts';
import type { ResolveInDoubtResponse as _tidemark_v1_ResolveInDoubtResponse, ResolveInDoubtResponse__Output as _tidemark_v1_ResolveInDoubtResponse__Output } from '../../tidemark/v1/ResolveInDoubtResponse.ts';
import type { RestoreStepRequest as _tidemark_v1_RestoreStepRequest, RestoreStepRequest__Output as _tidemark_v1_RestoreStepRequest__Output } from '../../tidemark/v1/RestoreStepRequest.ts';

export interface RestoreTargetClient extends grpc.Client {
  AbandonRestore(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  AbandonRestore(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  AbandonRestore(argument: _tidemark_v1_RestoreStepRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  AbandonRestore(argument: _tidemark_v1_RestoreStepRequest, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  abandonRestore(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  abandonRestore(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  abandonRestore(argument: _tidemark_v1_RestoreStepRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  abandonRestore(argument: _tidemark_v1_RestoreStepRequest, callback: grpc.requestCallback<_tidemark_v1_AbandonRestoreResponse__Output>): grpc.ClientUnaryCall;
  
  CheckRestored(argument: _tidemark_v1_CheckRestoredRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  CheckRestored(argument: _tidemark_v1_CheckRestoredRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  CheckRestored(argument: _tidemark_v1_CheckRestoredRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  CheckRestored(argument: _tidemark_v1_CheckRestoredRequest, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  checkRestored(argument: _tidemark_v1_CheckRestoredRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  checkRestored(argument: _tidemark_v1_CheckRestoredRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  checkRestored(argument: _tidemark_v1_CheckRestoredRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  checkRestored(argument: _tidemark_v1_CheckRestoredRequest, callback: grpc.requestCallback<_tidemark_v1_CheckRestoredResponse__Output>): grpc.ClientUnaryCall;
  
  OpenRestored(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  OpenRestored(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  OpenRestored(argument: _tidemark_v1_RestoreStepRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  OpenRestored(argument: _tidemark_v1_RestoreStepRequest, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  openRestored(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  openRestored(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  openRestored(argument: _tidemark_v1_RestoreStepRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  openRestored(argument: _tidemark_v1_RestoreStepRequest, callback: grpc.requestCallback<_tidemark_v1_OpenRestoredResponse__Output>): grpc.ClientUnaryCall;
  
  PrepareRestore(argument: _tidemark_v1_PrepareRestoreRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  PrepareRestore(argument: _tidemark_v1_PrepareRestoreRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  prepareRestore(argument: _tidemark_v1_PrepareRestoreRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  prepareRestore(argument: _tidemark_v1_PrepareRestoreRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  
  Promote(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  Promote(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  Promote(argument: _tidemark_v1_RestoreStepRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  Promote(argument: _tidemark_v1_RestoreStepRequest, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  promote(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  promote(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  promote(argument: _tidemark_v1_RestoreStepRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  promote(argument: _tidemark_v1_RestoreStepRequest, callback: grpc.requestCallback<_tidemark_v1_PromoteResponse__Output>): grpc.ClientUnaryCall;
  
  ResolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  ResolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  ResolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  ResolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  resolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  resolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  resolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  resolveInDoubt(argument: _tidemark_v1_ResolveInDoubtRequest, callback: grpc.requestCallback<_tidemark_v1_ResolveInDoubtResponse__Output>): grpc.ClientUnaryCall;
  
  StartFenced(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  StartFenced(argument: _tidemark_v1_RestoreStepRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  startFenced(argument: _tidemark_v1_RestoreStepRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  startFenced(argument: _tidemark_v1_RestoreStepRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_Progress__Output>;
  
}

export interface RestoreTargetHandlers extends grpc.UntypedServiceImplementation {
  AbandonRestore: grpc.handleUnaryCall<_tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_AbandonRestoreResponse>;
  
  CheckRestored: grpc.handleUnaryCall<_tidemark_v1_CheckRestoredRequest__Output, _tidemark_v1_CheckRestoredResponse>;
  
  OpenRestored: grpc.handleUnaryCall<_tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_OpenRestoredResponse>;
  
  PrepareRestore: grpc.handleServerStreamingCall<_tidemark_v1_PrepareRestoreRequest__Output, _tidemark_v1_Progress>;
  
  Promote: grpc.handleUnaryCall<_tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_PromoteResponse>;
  
  ResolveInDoubt: grpc.handleUnaryCall<_tidemark_v1_ResolveInDoubtRequest__Output, _tidemark_v1_ResolveInDoubtResponse>;
  
  StartFenced: grpc.handleServerStreamingCall<_tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_Progress>;
  
}

export interface RestoreTargetDefinition extends grpc.ServiceDefinition {
  AbandonRestore: MethodDefinition<_tidemark_v1_RestoreStepRequest, _tidemark_v1_AbandonRestoreResponse, _tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_AbandonRestoreResponse__Output>
  CheckRestored: MethodDefinition<_tidemark_v1_CheckRestoredRequest, _tidemark_v1_CheckRestoredResponse, _tidemark_v1_CheckRestoredRequest__Output, _tidemark_v1_CheckRestoredResponse__Output>
  OpenRestored: MethodDefinition<_tidemark_v1_RestoreStepRequest, _tidemark_v1_OpenRestoredResponse, _tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_OpenRestoredResponse__Output>
  PrepareRestore: MethodDefinition<_tidemark_v1_PrepareRestoreRequest, _tidemark_v1_Progress, _tidemark_v1_PrepareRestoreRequest__Output, _tidemark_v1_Progress__Output>
  Promote: MethodDefinition<_tidemark_v1_RestoreStepRequest, _tidemark_v1_PromoteResponse, _tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_PromoteResponse__Output>
  ResolveInDoubt: MethodDefinition<_tidemark_v1_ResolveInDoubtRequest, _tidemark_v1_ResolveInDoubtResponse, _tidemark_v1_ResolveInDoubtRequest__Output, _tidemark_v1_ResolveInDoubtResponse__Output>
  StartFenced: MethodDefinition<_tidemark_v1_RestoreStepRequest, _tidemark_v1_Progress, _tidemark_v1_RestoreStepRequest__Output, _tidemark_v1_Progress__Output>
}
