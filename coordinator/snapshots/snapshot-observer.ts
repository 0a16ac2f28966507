import type { LongPrepared } from '../../shared/admin/status.ts';
import type { BrokenTransaction, Snapshot } from '../../shared/repository/snapshot-manifest.ts';

/** What the log and the metrics hear of snapshots. */
export interface SnapshotObserver {
  /** A snapshot was declared. */
  taken(snapshot: Snapshot, durationMs: number): void;
  /** A scheduled collect showed that this complete snapshot is still the cluster's state at `asOfMs` (wall clock). */
  current(snapshot: Snapshot, asOfMs: number): void;
  /** @param asked a person or program asked for it; else it was a scheduled one */
  failed(error: unknown, asked: boolean): void;
  /** A transaction that can never be whole was found; once for each. */
  broken(transaction: BrokenTransaction): void;
  /** A branch has been prepared for longer than it should; once for each. */
  longPrepared(branch: LongPrepared, ageMs: number): void;
  /** How many branches are prepared on each node of the cluster, as far as was read, and since when the oldest. */
  prepared(nodes: ReadonlyMap<string, PreparedBranches>): void;
  /** Something that passes, or that somebody should look at. */
  problem(what: string, error: unknown): void;
}

/** Branches of one node that are prepared and unfinished. */
export interface PreparedBranches {
  readonly count: number;
  /** Of those, for longer than the limit. */
  readonly long: number;
  /** 0 if there is none. */
  readonly oldestMs: number;
  /** With those that are finished and not forgotten yet. */
  readonly held: number;
}
