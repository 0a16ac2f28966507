import { measureClock } from '../../shared/cuts/clock-measurement.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { ClockReading } from '../../shared/wal/clock-reading.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { LeaderDuty } from '../election/leader-duty.ts';
import { streamId } from '../journal/wal-positions.ts';
import type { PositionSampler } from '../snapshots/double-collect.ts';

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_000;
/** Of one stream whose WAL does not come; then every other one goes. */
const WAITING_MAX = 1_024;

interface ClockWatchOptions {
  readonly coordinatorId: string;
  readonly nodes: () => readonly { readonly node: string }[];
  readonly sampler: (leadership: Leadership) => PositionSampler;
  readonly clock: Clock;
  readonly intervalMs?: number;
}

/**
 * Reads every node's clock again and again while this coordinator leads, and keeps each reading until the WAL that was written up to it
 * comes in: there it is kept for good, so that whoever holds the WAL can tell its times. A node that does not
 * answer has no readings; nothing else depends on it.
 */
export class ClockWatch implements LeaderDuty {
  readonly name = 'clocks';
  readonly #options: ClockWatchOptions;
  /** Of each stream, by position, increasing; at one position only the last. */
  readonly #waiting = new Map<string, ClockReading[]>();

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    const { clock, nodes, sampler } = this.#options;
    const asking = sampler(leadership);
    this.#waiting.clear();
    while (!signal.aborted) {
      const deadline = withDeadline(signal, TIMEOUT_MS);
      await Promise.all(
        nodes().map(async ({ node }) => {
          try {
            await this.#read(node, asking, leadership.term, deadline);
          } catch {
            // Ingest and snapshots say what is wrong with a node.
          }
        }),
      );
      await clock.sleep(this.#options.intervalMs ?? INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  /** The newest reading that was taken while the node's WAL ended at or before `endLsn`; each one is given once. */
  take(stream: WalStreamKey, endLsn: Lsn): readonly ClockReading[] {
    const waiting = this.#waiting.get(streamId(stream));
    if (waiting === undefined) return [];
    const count = waiting.findIndex(({ atLsn }) => atLsn > endLsn);
    return waiting.splice(0, count === -1 ? waiting.length : count).slice(-1);
  }

  async #read(node: string, sampler: PositionSampler, term: bigint, signal: AbortSignal): Promise<void> {
    const { clock, coordinatorId } = this.#options;
    const askedAtMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    const sample = await sampler.sample(node, { flush: false, signal });
    const measured = measureClock({ ...sample, askedAtMs, tookMs: clock.monotonicMs() - startedMs });
    this.#keep({ node, ...sample }, { atLsn: sample.insertLsn, ...measured, coordinatorId, term });
  }

  #keep(stream: WalStreamKey, reading: ClockReading): void {
    const id = streamId(stream);
    const waiting = (this.#waiting.get(id) ?? []).filter(({ atLsn }) => atLsn < reading.atLsn);
    this.#waiting.set(id, waiting.length < WAITING_MAX ? waiting : waiting.filter((_, index) => index % 2 === 0));
    this.#waiting.get(id)?.push(reading);
  }
}
