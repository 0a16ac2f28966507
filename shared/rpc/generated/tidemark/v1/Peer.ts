// Original file: proto/tidemark/v1/coordinator.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { FollowObjectsRequest as _tidemark_v1_FollowObjectsRequest, FollowObjectsRequest__Output as _tidemark_v1_FollowObjectsRequest__Output } from '../../tidemark/v1/FollowObjectsRequest.ts';
import type { FollowObjectsResponse as _tidemark_v1_FollowObjectsResponse, FollowObjectsResponse__Output as _tidemark_v1_FollowObjectsResponse__Output } from '../../tidemark/v1/FollowObjectsResponse.ts';
import type { FollowWalRequest as _tidemark_v1_FollowWalRequest, FollowWalRequest__Output as _tidemark_v1_FollowWalRequest__Output } from '../../tidemark/v1/FollowWalRequest.ts';
import type { FollowWalResponse as _tidemark_v1_FollowWalResponse, FollowWalResponse__Output as _tidemark_v1_FollowWalResponse__Output } from '../../tidemark/v1/FollowWalResponse.ts';
import type { GetPeerStateRequest as _tidemark_v1_GetPeerStateRequest, GetPeerStateRequest__Output as _tidemark_v1_GetPeerStateRequest__Output } from '../../tidemark/v1/GetPeerStateRequest.ts';
import type { PeerState as _tidemark_v1_PeerState, PeerState__Output as _tidemark_v1_PeerState__Output } from '../../tidemark/v1/PeerState.ts';

export interface PeerClient extends grpc.Client {
  FollowObjects(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowObjectsRequest, _tidemark_v1_FollowObjectsResponse__Output>;
  FollowObjects(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowObjectsRequest, _tidemark_v1_FollowObjectsResponse__Output>;
  followObjects(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowObjectsRequest, _tidemark_v1_FollowObjectsResponse__Output>;
  followObjects(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowObjectsRequest, _tidemark_v1_FollowObjectsResponse__Output>;
  
  FollowWal(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowWalRequest, _tidemark_v1_FollowWalResponse__Output>;
  FollowWal(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowWalRequest, _tidemark_v1_FollowWalResponse__Output>;
  followWal(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowWalRequest, _tidemark_v1_FollowWalResponse__Output>;
  followWal(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tidemark_v1_FollowWalRequest, _tidemark_v1_FollowWalResponse__Output>;
  
  GetPeerState(argument: _tidemark_v1_GetPeerStateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  GetPeerState(argument: _tidemark_v1_GetPeerStateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  GetPeerState(argument: _tidemark_v1_GetPeerStateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  GetPeerState(argument: _tidemark_v1_GetPeerStateRequest, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  getPeerState(argument: _tidemark_v1_GetPeerStateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  getPeerState(argument: _tidemark_v1_GetPeerStateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  getPeerState(argument: _tidemark_v1_GetPeerStateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  getPeerState(argument: _tidemark_v1_GetPeerStateRequest, callback: grpc.requestCallback<_tidemark_v1_PeerState__Output>): grpc.ClientUnaryCall;
  
}

export interface PeerHandlers extends grpc.UntypedServiceImplementation {
  FollowObjects: grpc.handleBidiStreamingCall<_tidemark_v1_FollowObjectsRequest__Output, _tidemark_v1_FollowObjectsResponse>;
  
  FollowWal: grpc.handleBidiStreamingCall<_tidemark_v1_FollowWalRequest__Output, _tidemark_v1_FollowWalResponse>;
  
  GetPeerState: grpc.handleUnaryCall<_tidemark_v1_GetPeerStateRequest__Output, _tidemark_v1_PeerState>;
  
}

export interface PeerDefinition extends grpc.ServiceDefinition {
  FollowObjects: MethodDefinition<_tidemark_v1_FollowObjectsRequest, _tidemark_v1_FollowObjectsResponse, _tidemark_v1_FollowObjectsRequest__Output, _tidemark_v1_FollowObjectsResponse__Output>
  FollowWal: MethodDefinition<_tidemark_v1_FollowWalRequest, _tidemark_v1_FollowWalResponse, _tidemark_v1_FollowWalRequest__Output, _tidemark_v1_FollowWalResponse__Output>
  GetPeerState: MethodDefinition<_tidemark_v1_GetPeerStateRequest, _tidemark_v1_PeerState, _tidemark_v1_GetPeerStateRequest__Output, _tidemark_v1_PeerState__Output>
}
