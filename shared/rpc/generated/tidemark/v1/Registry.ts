// Original file: proto/tidemark/v1/coordinator.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { RegisterRequest as _tidemark_v1_RegisterRequest, RegisterRequest__Output as _tidemark_v1_RegisterRequest__Output } from '../../tidemark/v1/RegisterRequest.ts';
import type { RegisterResponse as _tidemark_v1_RegisterResponse, RegisterResponse__Output as _tidemark_v1_RegisterResponse__Output } from '../../tidemark/v1/RegisterResponse.ts';

export interface RegistryClient extends grpc.Client {
  Register(argument: _tidemark_v1_RegisterRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  Register(argument: _tidemark_v1_RegisterRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  Register(argument: _tidemark_v1_RegisterRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  Register(argument: _tidemark_v1_RegisterRequest, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  register(argument: _tidemark_v1_RegisterRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  register(argument: _tidemark_v1_RegisterRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  register(argument: _tidemark_v1_RegisterRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  register(argument: _tidemark_v1_RegisterRequest, callback: grpc.requestCallback<_tidemark_v1_RegisterResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface RegistryHandlers extends grpc.UntypedServiceImplementation {
  Register: grpc.handleUnaryCall<_tidemark_v1_RegisterRequest__Output, _tidemark_v1_RegisterResponse>;
  
}

export interface RegistryDefinition extends grpc.ServiceDefinition {
  Register: MethodDefinition<_tidemark_v1_RegisterRequest, _tidemark_v1_RegisterResponse, _tidemark_v1_RegisterRequest__Output, _tidemark_v1_RegisterResponse__Output>
}
