import type { Lsn } from '../postgres/lsn.ts';
import type { Progress } from './progress.ts';

/** A base backup as lists show it; the whole of it is in its manifest. */
export interface BackupSummary {
  readonly id: string;
  readonly node: string;
  readonly type: 'full';
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  /** Microseconds since 1970-01-01 UTC. */
  readonly startedAtUs: bigint;
  readonly finishedAtUs: bigint;
  /** Of the database's files. */
  readonly bytes: bigint;
  readonly storedBytes: bigint;
  readonly files: bigint;
  readonly serverVersionNum: number;
  readonly pagesVerified: bigint;
  readonly badFiles: readonly string[];
  /** That are known to hold it. */
  readonly dataCenters: readonly string[];
}

export interface BackupRequest {
  /** Empty: all. */
  readonly nodes: readonly string[];
  readonly type: 'full';
}

export type BackupEvent =
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** A node's backup is durable. */
  | { readonly kind: 'backup'; readonly backup: BackupSummary };
