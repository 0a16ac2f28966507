// Original file: proto/tidemark/v1/agent.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { BaseBackupMessage as _tidemark_v1_BaseBackupMessage, BaseBackupMessage__Output as _tidemark_v1_BaseBackupMessage__Output } from '../../tidemark/v1/BaseBackupMessage.ts';
import type { GetInstanceRequest as _tidemark_v1_GetInstanceRequest, GetInstanceRequest__Output as _tidemark_v1_GetInstanceRequest__Output } from '../../tidemark/v1/GetInstanceRequest.ts';
import type { Instance as _tidemark_v1_Instance, Instance__Output as _tidemark_v1_Instance__Output } from '../../tidemark/v1/Instance.ts';
import type { PullWalRequest as _tidemark_v1_PullWalRequest, PullWalRequest__Output as _tidemark_v1_PullWalRequest__Output } from '../../tidemark/v1/PullWalRequest.ts';
import type { PullWalResponse as _tidemark_v1_PullWalResponse, PullWalResponse__Output as _tidemark_v1_PullWalResponse__Output } from '../../tidemark/v1/PullWalResponse.ts';
import type { SamplePositionRequest as _tidemark_v1_SamplePositionRequest, SamplePositionRequest__Output as _tidemark_v1_SamplePositionRequest__Output } from '../../tidemark/v1/SamplePositionRequest.ts';
import type { SamplePositionResponse as _tidemark_v1_SamplePositionResponse, SamplePositionResponse__Output as _tidemark_v1_SamplePositionResponse__Output } from '../../tidemark/v1/SamplePositionResponse.ts';
import type { TakeBaseBackupRequest as _tidemark_v1_TakeBaseBackupRequest, TakeBaseBackupRequest__Output as _tidemark_v1_TakeBaseBackupRequest__Output } from '../../tidemark/v1/TakeBaseBackupRequest.ts';

export interface AgentClient extends grpc.Client {
  GetInstance(argument: _tidemark_v1_GetInstanceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  GetInstance(argument: _tidemark_v1_GetInstanceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  GetInstance(argument: _tidemark_v1_GetInstanceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  GetInstance(argument: _tidemark_v1_GetInstanceRequest, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  getInstance(argument: _tidemark_v1_GetInstanceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  getInstance(argument: _tidemark_v1_GetInstanceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  getInstance(argument: _tidemark_v1_GetInstanceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  getInstance(argument: _tidemark_v1_GetInstanceRequest, callback: grpc.requestCallback<_tidemark_v1_Instance__Output>): grpc.ClientUnaryCall;
  
  PullWal(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_PullWalRequest, _tidemark_v1_PullWalResponse__Output>;
  PullWal(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_PullWalRequest, _tidemark_v1_PullWalResponse__Output>;
  pullWal(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_PullWalRequest, _tidemark_v1_PullWalResponse__Output>;
  pullWal(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_PullWalRequest, _tidemark_v1_PullWalResponse__Output>;
  
  SamplePosition(argument: _tidemark_v1_SamplePositionRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  SamplePosition(argument: _tidemark_v1_SamplePositionRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  SamplePosition(argument: _tidemark_v1_SamplePositionRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  SamplePosition(argument: _tidemark_v1_SamplePositionRequest, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  samplePosition(argument: _tidemark_v1_SamplePositionRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  samplePosition(argument: _tidemark_v1_SamplePositionRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  samplePosition(argument: _tidemark_v1_SamplePositionRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  samplePosition(argument: _tidemark_v1_SamplePositionRequest, callback: grpc.requestCallback<_tidemark_v1_SamplePositionResponse__Output>): grpc.ClientUnaryCall;
  
  TakeBaseBackup(argument: _tidemark_v1_TakeBaseBackupRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BaseBackupMessage__Output>;
  TakeBaseBackup(argument: _tidemark_v1_TakeBaseBackupRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BaseBackupMessage__Output>;
  takeBaseBackup(argument: _tidemark_v1_TakeBaseBackupRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BaseBackupMessage__Output>;
  takeBaseBackup(argument: _tidemark_v1_TakeBaseBackupRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_BaseBackupMessage__Output>;
  
}

export interface AgentHandlers extends grpc.UntypedServiceImplementation {
  GetInstance: grpc.handleUnaryCall<_tidemark_v1_GetInstanceRequest__Output, _tidemark_v1_Instance>;
  
  PullWal: grpc.handleBidiStreamingCall<_tidemark_v1_PullWalRequest__Output, _tidemark_v1_PullWalResponse>;
  
  SamplePosition: grpc.handleUnaryCall<_tidemark_v1_SamplePositionRequest__Output, _tidemark_v1_SamplePositionResponse>;
  
  TakeBaseBackup: grpc.handleServerStreamingCall<_tidemark_v1_TakeBaseBackupRequest__Output, _tidemark_v1_BaseBackupMessage>;
  
}

export interface AgentDefinition extends grpc.ServiceDefinition {
  GetInstance: MethodDefinition<_tidemark_v1_GetInstanceRequest, _tidemark_v1_Instance, _tidemark_v1_GetInstanceRequest__Output, _tidemark_v1_Instance__Output>
  PullWal: MethodDefinition<_tidemark_v1_PullWalRequest, _tidemark_v1_PullWalResponse, _tidemark_v1_PullWalRequest__Output, _tidemark_v1_PullWalResponse__Output>
  SamplePosition: MethodDefinition<_tidemark_v1_SamplePositionRequest, _tidemark_v1_SamplePositionResponse, _tidemark_v1_SamplePositionRequest__Output, _tidemark_v1_SamplePositionResponse__Output>
  TakeBaseBackup: MethodDefinition<_tidemark_v1_TakeBaseBackupRequest, _tidemark_v1_BaseBackupMessage, _tidemark_v1_TakeBaseBackupRequest__Output, _tidemark_v1_BaseBackupMessage__Output>
}
