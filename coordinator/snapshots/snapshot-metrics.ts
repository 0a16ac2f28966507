import type { LongPrepared } from '../../shared/admin/status.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import type { BrokenTransaction, Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { PreparedBranches, SnapshotObserver } from './snapshot-observer.ts';

/** The metrics of snapshots and the log lines about them. The age is that of the last complete one, counted from when it was last the state. */
export class SnapshotMetrics implements SnapshotObserver {
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  #currentAtMs: number | null = null;

  constructor(metrics: Metrics, logger: Logger, clock: Clock) {
    this.#metrics = metrics;
    this.#logger = logger;
    metrics.beforeReading(() => {
      if (this.#currentAtMs !== null) {
        const ageSeconds = Math.max(0, clock.nowMs() - this.#currentAtMs) / 1000;
        metrics.set('tidemark_last_complete_snapshot_age_seconds', {}, ageSeconds);
      }
    });
  }

  taken(snapshot: Snapshot, durationMs: number): void {
    this.#metrics.add('tidemark_snapshots_total', { result: snapshot.complete ? 'complete' : 'incomplete' });
    this.#metrics.observe('tidemark_snapshot_duration_seconds', {}, durationMs / 1000);
    if (snapshot.complete) {
      this.#metrics.add('tidemark_snapshot_classes_total', { class: snapshot.class.kind });
      this.current(snapshot, Number(snapshot.timeUs / 1000n));
      if (!snapshot.nodes.some((node) => node.sampled)) {
        this.#logger.warn({ snapshot: snapshot.id }, 'no node answers: the snapshot holds what was acknowledged');
      }
    } else {
      const silent = snapshot.nodes.filter((node) => !node.sampled).map((node) => node.node);
      this.#logger.warn({ snapshot: snapshot.id, silent }, 'a snapshot without all nodes');
    }
    this.#logger.debug({ snapshot: snapshot.id, class: snapshot.class.kind, durationMs }, 'a snapshot');
  }

  current(snapshot: Snapshot, asOfMs: number): void {
    this.#currentAtMs = asOfMs;
    this.#metrics.set('tidemark_last_complete_snapshot_timestamp_seconds', {}, Number(snapshot.timeUs) / 1e6);
  }

  failed(error: unknown, asked: boolean): void {
    this.#metrics.add('tidemark_snapshots_total', { result: 'failed' });
    this.#metrics.countError(error);
    this.#logger.warn({ err: error, asked }, 'a snapshot could not be taken');
  }

  broken(transaction: BrokenTransaction): void {
    this.#metrics.add('tidemark_broken_transactions_total', { kind: transaction.kind });
    this.#logger.error({ ...transaction }, 'a transaction that can never be whole');
  }

  longPrepared({ node, gid, xid }: LongPrepared, ageMs: number): void {
    this.#logger.warn({ node, gid, xid, ageMs }, 'a transaction has been prepared for long and holds its locks');
  }

  prepared(nodes: ReadonlyMap<string, PreparedBranches>): void {
    for (const [node, { count, long, oldestMs, held }] of nodes) {
      this.#metrics.set('tidemark_prepared_transactions', { node }, count);
      this.#metrics.set('tidemark_long_prepared_transactions', { node }, long);
      this.#metrics.set('tidemark_oldest_prepared_transaction_seconds', { node }, oldestMs / 1000);
      this.#metrics.set('tidemark_transaction_branches_held', { node }, held);
    }
  }

  problem(what: string, error: unknown): void {
    this.#metrics.countError(error);
    this.#logger.warn({ err: error }, what);
  }
}
