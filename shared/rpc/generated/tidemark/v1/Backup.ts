// Original file: proto/tidemark/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface Backup {
  'id'?: (string);
  'node'?: (string);
  'type'?: (string);
  'systemIdentifier'?: (string);
  'timeline'?: (number);
  'startLsn'?: (number | string | Long);
  'stopLsn'?: (number | string | Long);
  'startedAtUs'?: (number | string | Long);
  'finishedAtUs'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'storedBytes'?: (number | string | Long);
  'files'?: (number | string | Long);
  'serverVersionNum'?: (number);
  'pagesVerified'?: (number | string | Long);
  'badFiles'?: (string)[];
  'dataCenters'?: (string)[];
}

export interface Backup__Output {
  'id': (string);
  'node': (string);
  'type': (string);
  'systemIdentifier': (string);
  'timeline': (number);
  'startLsn': (string);
  'stopLsn': (string);
  'startedAtUs': (string);
  'finishedAtUs': (string);
  'bytes': (string);
  'storedBytes': (string);
  'files': (string);
  'serverVersionNum': (number);
  'pagesVerified': (string);
  'badFiles': (string)[];
  'dataCenters': (string)[];
}
