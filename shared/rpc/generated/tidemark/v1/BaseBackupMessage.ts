// Original file: proto/tidemark/v1/agent.proto

import type { Progress as _tidemark_v1_Progress, Progress__Output as _tidemark_v1_Progress__Output } from '../../tidemark/v1/Progress.ts';
import type { Instance as _tidemark_v1_Instance, Instance__Output as _tidemark_v1_Instance__Output } from '../../tidemark/v1/Instance.ts';
import type { Long } from '@grpc/proto-loader';

export interface _tidemark_v1_BaseBackupMessage_Extent {
  'sequence'?: (number);
  'offsetBytes'?: (number);
  'lengthBytes'?: (number);
}

export interface _tidemark_v1_BaseBackupMessage_Extent__Output {
  'sequence': (number);
  'offsetBytes': (number);
  'lengthBytes': (number);
}

export interface _tidemark_v1_BaseBackupMessage_File {
  'path'?: (string);
  'sizeBytes'?: (number | string | Long);
  'mode'?: (number);
  'modifiedAtUs'?: (number | string | Long);
  'extents'?: (_tidemark_v1_BaseBackupMessage_Extent)[];
  'badBlocks'?: (number)[];
}

export interface _tidemark_v1_BaseBackupMessage_File__Output {
  'path': (string);
  'sizeBytes': (string);
  'mode': (number);
  'modifiedAtUs': (string);
  'extents': (_tidemark_v1_BaseBackupMessage_Extent__Output)[];
  'badBlocks': (number)[];
}

export interface _tidemark_v1_BaseBackupMessage_Finished {
  'stopLsn'?: (number | string | Long);
  'backupLabel'?: (Buffer | Uint8Array | string);
  'tablespaceMap'?: (Buffer | Uint8Array | string);
  'directories'?: (string)[];
  'tablespaces'?: (_tidemark_v1_BaseBackupMessage_Tablespace)[];
  'pagesVerified'?: (number | string | Long);
  'filesVanished'?: (number | string | Long);
  'settings'?: ({[key: string]: string});
}

export interface _tidemark_v1_BaseBackupMessage_Finished__Output {
  'stopLsn': (string);
  'backupLabel': (Buffer);
  'tablespaceMap': (Buffer);
  'directories': (string)[];
  'tablespaces': (_tidemark_v1_BaseBackupMessage_Tablespace__Output)[];
  'pagesVerified': (string);
  'filesVanished': (string);
  'settings': ({[key: string]: string});
}

export interface _tidemark_v1_BaseBackupMessage_Frame {
  'sequence'?: (number);
  'frame'?: (Buffer | Uint8Array | string);
  'contentBytes'?: (number);
  'contentSha256'?: (Buffer | Uint8Array | string);
}

export interface _tidemark_v1_BaseBackupMessage_Frame__Output {
  'sequence': (number);
  'frame': (Buffer);
  'contentBytes': (number);
  'contentSha256': (Buffer);
}

export interface _tidemark_v1_BaseBackupMessage_Started {
  'instance'?: (_tidemark_v1_Instance | null);
  'startLsn'?: (number | string | Long);
  'checkpointLsn'?: (number | string | Long);
  'timeline'?: (number);
  'bytesTotal'?: (number | string | Long);
  'filesTotal'?: (number);
}

export interface _tidemark_v1_BaseBackupMessage_Started__Output {
  'instance': (_tidemark_v1_Instance__Output | null);
  'startLsn': (string);
  'checkpointLsn': (string);
  'timeline': (number);
  'bytesTotal': (string);
  'filesTotal': (number);
}

export interface _tidemark_v1_BaseBackupMessage_Tablespace {
  'oid'?: (number);
  'location'?: (string);
}

export interface _tidemark_v1_BaseBackupMessage_Tablespace__Output {
  'oid': (number);
  'location': (string);
}

export interface BaseBackupMessage {
  'started'?: (_tidemark_v1_BaseBackupMessage_Started | null);
  'frame'?: (_tidemark_v1_BaseBackupMessage_Frame | null);
  'file'?: (_tidemark_v1_BaseBackupMessage_File | null);
  'progress'?: (_tidemark_v1_Progress | null);
  'finished'?: (_tidemark_v1_BaseBackupMessage_Finished | null);
  'message'?: "started"|"frame"|"file"|"progress"|"finished";
}

export interface BaseBackupMessage__Output {
  'started'?: (_tidemark_v1_BaseBackupMessage_Started__Output | null);
  'frame'?: (_tidemark_v1_BaseBackupMessage_Frame__Output | null);
  'file'?: (_tidemark_v1_BaseBackupMessage_File__Output | null);
  'progress'?: (_tidemark_v1_Progress__Output | null);
  'finished'?: (_tidemark_v1_BaseBackupMessage_Finished__Output | null);
  'message'?: "started"|"frame"|"file"|"progress"|"finished";
}
