import type { Lsn } from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/backup-manifest.ts';
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

/**
 * What a manifest says in short.
 * @param dataCenters that are known to hold the backup; one copy alone knows none
 */
export function summarizeBackup(manifest: BackupManifest, dataCenters: readonly string[]): BackupSummary {
  const { id, node, type, systemIdentifier, timeline, startLsn, stopLsn, serverVersionNum, files } = manifest;
  return {
    id,
    node,
    type,
    systemIdentifier,
    timeline,
    startLsn,
    stopLsn,
    startedAtUs: BigInt(manifest.startedAtUs),
    finishedAtUs: BigInt(manifest.finishedAtUs),
    bytes: BigInt(files.reduce((sum, file) => sum + file.sizeBytes, 0)),
    storedBytes: BigInt(manifest.packs.reduce((sum, pack) => sum + pack.sizeBytes, 0)),
    files: BigInt(files.length),
    serverVersionNum,
    pagesVerified: BigInt(manifest.pagesVerified),
    badFiles: files.filter((file) => (file.badBlocks?.length ?? 0) > 0).map((file) => file.path),
    dataCenters,
  };
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
