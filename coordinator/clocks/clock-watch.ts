import { measureClock } from '../../shared/cuts/clock-measurement.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { ClockReading } from '../../shared/wal/clock-reading.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { LeaderDuty } from '../election/leader-duty.ts';
import { streamId } from '../journal/wal-positions.ts';
import { ToldTime } from './told-time.ts';
import type { PositionSampler } from '../snapshots/double-collect.ts';
import { ClockLink } from './clock-link.ts';
import { FineWallClock } from './fine-wall-clock.ts';

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_000;
/** Answers that come at the same moment wait for each other. */
const APART_MS = 20;
/** A call may be held up on its way; of so many in a row the best one counts, as in NTP's clock filter. */
const TRIES_MAX = 4;
/** Good enough to ask no more. */
const UNCERTAINTY_US = 300n;
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
 *
 * Every reading is kept as it was taken. What readings say together is told where times are told, from all that were kept: so a step of a
 * clock is never hidden in a reading.
 */
export class ClockWatch implements LeaderDuty {
  readonly name = 'clocks';
  readonly #options: ClockWatchOptions;
  readonly #wall: FineWallClock;
  /** Of each stream, by position, increasing; at one position only the last. */
  readonly #waiting = new Map<string, ClockReading[]>();
  readonly #told = new Map<string, ToldTime>();

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.#wall = new FineWallClock(options.clock);
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    const { clock, nodes, sampler } = this.#options;
    const asking = sampler(leadership);
    this.#waiting.clear();
    this.#told.clear();
    while (!signal.aborted) {
      const deadline = withDeadline(signal, TIMEOUT_MS);
      this.#wall.adjust();
      await Promise.all(
        nodes().map(async ({ node }, index) => {
          try {
            if (index > 0) await clock.sleep((index * APART_MS) % INTERVAL_MS, deadline);
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
    const taken = waiting.splice(0, count === -1 ? waiting.length : count).slice(-1);
    for (const reading of taken) this.#toldOf(stream).stored(reading, endLsn);
    return taken;
  }

  /**
   * The last moment at which the state of all these nodes can be told, microseconds since 1970-01-01 UTC: by the leader, which takes a snapshot
   * for it, if all of them answer, else from a copy. Null if of some node nothing is known. @param canDeclare whether a snapshot can be taken
   */
  toldUntilUs(
    nodes: readonly { readonly stream: WalStreamKey; readonly acknowledgedLsn: Lsn }[],
    canDeclare: boolean,
  ): bigint | null {
    const nowMs = this.#options.clock.monotonicMs();
    const told = nodes.map(({ stream, acknowledgedLsn }) => this.#toldOf(stream).untilUs(acknowledgedLsn, nowMs));
    const byLeaderUs = canDeclare ? least(told.map((one) => one.byLeaderUs)) : null;
    return byLeaderUs ?? least(told.map((one) => one.fromCopyUs));
  }

  #toldOf(stream: WalStreamKey): ToldTime {
    const id = streamId(stream);
    const known = this.#told.get(id) ?? new ToldTime();
    this.#told.set(id, known);
    return known;
  }

  async #read(node: string, sampler: PositionSampler, term: bigint, signal: AbortSignal): Promise<void> {
    const { clock, coordinatorId } = this.#options;
    // No longer than the calls in a row: an agent that was started anew has another clock.
    const link = new ClockLink();
    let best: { readonly stream: WalStreamKey; readonly reading: ClockReading } | null = null;
    for (let tries = 0; tries < TRIES_MAX && (best === null || best.reading.uncertaintyUs > UNCERTAINTY_US); tries++) {
      const startedMs = clock.monotonicMs();
      const askedAt = this.#wall.read();
      const sample = await sampler.sample(node, { flush: false, signal }).catch((error: unknown) => {
        if (best === null) throw error;
        return null;
      });
      if (sample === null) break;
      const endedMs = clock.monotonicMs();
      // What the clock showed before says nothing of now.
      if (this.#wall.read().settings !== askedAt.settings) break;
      const around =
        sample.agentClock === null ? sample.around : link.take({ startedMs, endedMs, ...sample, ...sample.agentClock });
      const measured = measureClock({ ...sample, around, askedAt, tookMs: endedMs - startedMs });
      if (best === null || measured.uncertaintyUs < best.reading.uncertaintyUs) {
        best = { stream: { node, ...sample }, reading: { atLsn: sample.insertLsn, ...measured, coordinatorId, term } };
      }
    }
    if (best !== null) this.#keep(best.stream, best.reading);
  }

  #keep(stream: WalStreamKey, reading: ClockReading): void {
    this.#toldOf(stream).taken(reading, this.#options.clock.monotonicMs());
    const id = streamId(stream);
    const waiting = (this.#waiting.get(id) ?? []).filter(({ atLsn }) => atLsn < reading.atLsn);
    this.#waiting.set(id, waiting.length < WAITING_MAX ? waiting : waiting.filter((_, index) => index % 2 === 0));
    this.#waiting.get(id)?.push(reading);
  }
}

/** Null if one is, or there is none. */
function least(moments: readonly (bigint | null)[]): bigint | null {
  const [first = null, ...others] = moments;
  return others.reduce(
    (earliest, moment) => (earliest === null || moment === null ? null : moment < earliest ? moment : earliest),
    first,
  );
}
