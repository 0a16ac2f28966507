// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface CopyStatus {
  'dataCenter'?: (string);
  'durableLsn'?: (number | string | Long);
  'lagBytes'?: (number | string | Long);
  'connected'?: (boolean);
}

export interface CopyStatus__Output {
  'dataCenter': (string);
  'durableLsn': (string);
  'lagBytes': (string);
  'connected': (boolean);
}
