import type { Instance } from '../../shared/postgres/instance.ts';
import { NO_LSN, formatLsn } from '../../shared/postgres/lsn.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import type { ChangeSet } from '../../shared/wal/change-set.ts';
import type { WalStream } from '../change-sets/wal-stream.ts';
import type { StreamObserver } from './stream-observer.ts';

/** The agent's metrics and the log lines about its stream. */
export class AgentMetrics implements StreamObserver {
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  #stream: WalStream | null = null;
  /** As last said in the log; null before the first. */
  #synchronousProblem: string | null = null;

  constructor(metrics: Metrics, logger: Logger) {
    this.#metrics = metrics;
    this.#logger = logger;
    metrics.beforeReading(() => this.#collect());
  }

  started(stream: WalStream, coordinatorId: string, term: bigint): void {
    this.#stream = stream;
    this.#logger.info({ coordinatorId, term: term.toString(), fromLsn: formatLsn(stream.startLsn) }, 'streaming WAL');
  }

  sent(changeSet: ChangeSet): void {
    this.#metrics.add('tidemark_agent_wal_sent_bytes_total', {}, Number(changeSet.endLsn - changeSet.startLsn));
    this.#metrics.add('tidemark_agent_wal_sent_compressed_bytes_total', {}, changeSet.frame.byteLength);
  }

  ended(reason: unknown): void {
    this.#stream = null;
    if (reason === null) {
      this.#logger.info('the timeline has ended');
      return;
    }
    this.#metrics.countError(reason);
    this.#logger.warn({ err: reason }, 'the stream of WAL has ended');
  }

  /** As last read. */
  instance(instance: Instance): void {
    this.#metrics.set('tidemark_agent_postgres_reachable', {}, instance.postgresReachable ? 1 : 0);
    if (instance.postgresReachable && instance.slotRestartLsn !== NO_LSN) {
      const retainedBytes = Number(instance.flushLsn - instance.slotRestartLsn);
      this.#metrics.set('tidemark_agent_slot_retained_bytes', {}, Math.max(retainedBytes, 0));
    }
    if (instance.postgresReachable && instance.synchronous.configured) this.#synchronous(instance.synchronous.problem);
  }

  #synchronous(problem: string): void {
    this.#metrics.set('tidemark_agent_synchronous', {}, problem === '' ? 1 : 0);
    if (problem === this.#synchronousProblem) return;
    this.#synchronousProblem = problem;
    if (problem === '') this.#logger.info('commits wait until they are durable on the required copies');
    else this.#logger.warn({ problem }, 'a commit may return before it is durable on the required copies');
  }

  #collect(): void {
    const stream = this.#stream;
    this.#metrics.set('tidemark_agent_streaming', {}, stream === null ? 0 : 1);
    if (stream === null) return;
    this.#metrics.set('tidemark_agent_flush_lsn_bytes', {}, Number(stream.serverEndLsn));
    this.#metrics.set('tidemark_agent_sent_lsn_bytes', {}, Number(stream.sentLsn));
    this.#metrics.set('tidemark_agent_acknowledged_lsn_bytes', {}, Number(stream.acknowledgedLsn));
  }
}
