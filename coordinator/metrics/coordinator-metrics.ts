import type { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { BackupMetrics } from '../backups/backup-service.ts';
import { streamId } from '../journal/wal-positions.ts';

/** What the coordinator's parts tell, as metrics and log lines. */
export class CoordinatorMetrics {
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #storageProblems = new Map<string, TidemarkError>();

  constructor(metrics: Metrics, logger: Logger, clock: Clock) {
    this.#metrics = metrics;
    this.#logger = logger;
    this.#clock = clock;
    metrics.set('tidemark_repository_writable', {}, 1);
  }

  /** Why the repository cannot be written and what to do, in words; for `/healthz` and the status. */
  get storageProblems(): readonly string[] {
    return [...this.#storageProblems.values()].map(({ code, message, hint }) => `${message} (${code}). ${hint}`);
  }

  readonly error = (error: unknown): void => {
    this.#metrics.countError(error);
  };

  readonly leaderChanged = (): void => {
    this.#metrics.add('tidemark_leader_changes_total', {});
  };

  readonly walReceived = (node: string, walBytes: number, frameBytes: number): void => {
    this.#metrics.add('tidemark_wal_received_bytes_total', { node }, walBytes);
    this.#metrics.add('tidemark_wal_stored_bytes_total', { node }, frameBytes);
  };

  readonly journalSynced = (durationMs: number): void => {
    this.#metrics.observe('tidemark_journal_sync_seconds', {}, durationMs / 1000);
  };

  readonly storageProblem = (stream: WalStreamKey, problem: TidemarkError | null): void => {
    const id = streamId(stream);
    if (problem === null) {
      if (this.#storageProblems.delete(id)) {
        this.#logger.info({ stream: id }, 'the repository can be written again');
      }
    } else {
      this.#storageProblems.set(id, problem);
      this.#metrics.countError(problem);
      this.#logger.error({ err: problem, stream: id }, 'the repository cannot be written');
    }
    this.#metrics.set('tidemark_repository_writable', {}, this.#storageProblems.size === 0 ? 1 : 0);
  };

  readonly restoreEnded = (result: 'done' | 'failed'): void => {
    this.#metrics.add('tidemark_restores_total', { result });
  };

  readonly backups: BackupMetrics = {
    finished: (node, durationMs, bytes, storedBytes) => {
      this.#metrics.add('tidemark_backups_total', { node, result: 'done' });
      this.#metrics.set('tidemark_backup_duration_seconds', { node }, durationMs / 1000);
      this.#metrics.set('tidemark_backup_bytes', { node }, bytes);
      this.#metrics.set('tidemark_backup_stored_bytes', { node }, storedBytes);
      this.#metrics.set('tidemark_last_backup_timestamp_seconds', { node }, this.#clock.nowMs() / 1000);
      this.#logger.info({ node, durationMs, bytes, storedBytes }, 'base backup done');
    },
    failed: (node, error) => {
      this.#metrics.add('tidemark_backups_total', { node, result: 'failed' });
      this.#metrics.countError(error);
      this.#logger.error({ err: error, node }, 'base backup failed');
    },
  };
}
