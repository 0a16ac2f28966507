// Original file: proto/tidemark/v1/coordinator.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ListObjectsRequest as _tidemark_v1_ListObjectsRequest, ListObjectsRequest__Output as _tidemark_v1_ListObjectsRequest__Output } from '../../tidemark/v1/ListObjectsRequest.ts';
import type { ObjectChunk as _tidemark_v1_ObjectChunk, ObjectChunk__Output as _tidemark_v1_ObjectChunk__Output } from '../../tidemark/v1/ObjectChunk.ts';
import type { ObjectEntry as _tidemark_v1_ObjectEntry, ObjectEntry__Output as _tidemark_v1_ObjectEntry__Output } from '../../tidemark/v1/ObjectEntry.ts';
import type { ReadObjectRequest as _tidemark_v1_ReadObjectRequest, ReadObjectRequest__Output as _tidemark_v1_ReadObjectRequest__Output } from '../../tidemark/v1/ReadObjectRequest.ts';
import type { StatObjectRequest as _tidemark_v1_StatObjectRequest, StatObjectRequest__Output as _tidemark_v1_StatObjectRequest__Output } from '../../tidemark/v1/StatObjectRequest.ts';

export interface RepositoryClient extends grpc.Client {
  ListObjects(argument: _tidemark_v1_ListObjectsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectEntry__Output>;
  ListObjects(argument: _tidemark_v1_ListObjectsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectEntry__Output>;
  listObjects(argument: _tidemark_v1_ListObjectsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectEntry__Output>;
  listObjects(argument: _tidemark_v1_ListObjectsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectEntry__Output>;
  
  ReadObject(argument: _tidemark_v1_ReadObjectRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectChunk__Output>;
  ReadObject(argument: _tidemark_v1_ReadObjectRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectChunk__Output>;
  readObject(argument: _tidemark_v1_ReadObjectRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectChunk__Output>;
  readObject(argument: _tidemark_v1_ReadObjectRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tidemark_v1_ObjectChunk__Output>;
  
  StatObject(argument: _tidemark_v1_StatObjectRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  StatObject(argument: _tidemark_v1_StatObjectRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  StatObject(argument: _tidemark_v1_StatObjectRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  StatObject(argument: _tidemark_v1_StatObjectRequest, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  statObject(argument: _tidemark_v1_StatObjectRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  statObject(argument: _tidemark_v1_StatObjectRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  statObject(argument: _tidemark_v1_StatObjectRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  statObject(argument: _tidemark_v1_StatObjectRequest, callback: grpc.requestCallback<_tidemark_v1_ObjectEntry__Output>): grpc.ClientUnaryCall;
  
}

export interface RepositoryHandlers extends grpc.UntypedServiceImplementation {
  ListObjects: grpc.handleServerStreamingCall<_tidemark_v1_ListObjectsRequest__Output, _tidemark_v1_ObjectEntry>;
  
  ReadObject: grpc.handleServerStreamingCall<_tidemark_v1_ReadObjectRequest__Output, _tidemark_v1_ObjectChunk>;
  
  StatObject: grpc.handleUnaryCall<_tidemark_v1_StatObjectRequest__Output, _tidemark_v1_ObjectEntry>;
  
}

export interface RepositoryDefinition extends grpc.ServiceDefinition {
  ListObjects: MethodDefinition<_tidemark_v1_ListObjectsRequest, _tidemark_v1_ObjectEntry, _tidemark_v1_ListObjectsRequest__Output, _tidemark_v1_ObjectEntry__Output>
  ReadObject: MethodDefinition<_tidemark_v1_ReadObjectRequest, _tidemark_v1_ObjectChunk, _tidemark_v1_ReadObjectRequest__Output, _tidemark_v1_ObjectChunk__Output>
  StatObject: MethodDefinition<_tidemark_v1_StatObjectRequest, _tidemark_v1_ObjectEntry, _tidemark_v1_StatObjectRequest__Output, _tidemark_v1_ObjectEntry__Output>
}
