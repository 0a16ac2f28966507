import type { Progress } from '../admin/progress.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { InDoubtDecision } from '../repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../wal/change-set.ts';

/** Where a restoring agent takes its bytes from. */
export type BackupSource =
  | { readonly kind: 'coordinators'; readonly addresses: readonly string[] }
  /** A directory on the target host. */
  | { readonly kind: 'repository'; readonly path: string };

export interface PrepareRequest {
  readonly restoreId: string;
  /** Of the cut. */
  readonly stream: WalStreamKey;
  readonly backupId: string;
  /** START of the last record to be included. */
  readonly targetLsn: Lsn;
  readonly walFromLsn: Lsn;
  readonly walEndLsn: Lsn;
  readonly walSegmentBytes: number;
  readonly directory: string;
  /** 0: as in the backed-up configuration. */
  readonly port: number;
  readonly source: BackupSource;
  readonly tablespaceDirectories: Readonly<Record<string, string>>;
  readonly expectedInDoubt: readonly InDoubtDecision[];
  readonly settings: Readonly<Record<string, string>>;
}

/** A transaction that a restored node shows in pg_prepared_xacts. */
export interface PreparedTransaction {
  readonly gid: string;
  readonly xid: number;
  readonly databaseOid: number;
}

export interface Promoted {
  readonly prepared: readonly PreparedTransaction[];
  /** Where replay stood when it was paused: the end of the last record replayed. */
  readonly replayLsn: Lsn;
}

/**
 * One node's place in a cluster restore: an agent and a directory. The steps are called in this order; each may be repeated,
 * and then does what is left to do.
 */
export interface RestoreTarget {
  readonly node: string;
  /** For messages. */
  readonly address: string;
  /** Files and WAL are there, verified and synced, and recovery is configured, when the progress ends. */
  prepare(request: PrepareRequest, signal: AbortSignal): AsyncIterable<Progress>;
  /** The server runs, reachable for its agent only, and is paused at the target, when the progress ends. */
  startFenced(restoreId: string, signal: AbortSignal): AsyncIterable<Progress>;
  /** Still fenced afterwards. */
  promote(restoreId: string, signal: AbortSignal): Promise<Promoted>;
  /** All or, if they are not exactly the prepared set, none. */
  resolve(
    restoreId: string,
    branches: readonly InDoubtDecision[],
    signal: AbortSignal,
  ): Promise<{ readonly committed: number; readonly rolledBack: number }>;
  /** What is wrong, in words; empty if nothing is. */
  check(restoreId: string, assertions: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  open(restoreId: string, signal: AbortSignal): Promise<{ readonly port: number }>;
  /** Stops the fenced server; the files stay. */
  abandon(restoreId: string, signal: AbortSignal): Promise<void>;
}
