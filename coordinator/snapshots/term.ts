import type { BrokenTransaction, Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { PositionSampler } from './double-collect.ts';
import type { ForgottenTransactions } from './forgotten-transactions.ts';
import type { WalTracker } from './wal-tracker.ts';

/** What one leadership works with. */
export interface Term {
  readonly leadership: Leadership;
  tracker: WalTracker;
  stopFollowing: () => Promise<void>;
  forgotten: ForgottenTransactions;
  /** The nodes over which transactions were settled and forgotten; null while none was. */
  settledOver: ReadonlySet<string> | null;
  readonly sampler: PositionSampler;
  readonly signal: AbortSignal;
  /** The last declared complete snapshot. */
  last: Snapshot | null;
  /**
   * The streams that were all in synchronous mode in a complete collect of this leadership: since then no other leader acknowledges
   * them, and everything that was committed before is acknowledged.
   */
  synchronousOver: ReadonlySet<string>;
  /** Found by a complete cut that was not declared; its branches are forgotten. */
  brokenToReport: readonly BrokenTransaction[];
}
