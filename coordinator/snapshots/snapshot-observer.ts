import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';

/** What the log and the metrics hear of snapshots. */
export interface SnapshotObserver {
  /** A snapshot was declared. */
  taken(snapshot: Snapshot, durationMs: number): void;
  /** A scheduled collect showed that this complete snapshot is still the cluster's state at `asOfMs` (wall clock). */
  current(snapshot: Snapshot, asOfMs: number): void;
  /** @param asked a person or program asked for it; else it was a scheduled one */
  failed(error: unknown, asked: boolean): void;
  /** Something that passes, or that somebody should look at. */
  problem(what: string, error: unknown): void;
}
