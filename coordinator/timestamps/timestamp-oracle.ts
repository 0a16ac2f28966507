import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import {
  formatTimestamp,
  hybridTimestamp,
  nextTimestamp,
  parseTimestamp,
  timestampMs,
  TIMESTAMP_ZERO,
  type HybridTimestamp,
} from '../../shared/timestamp/hybrid-timestamp.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';

const BOUND_KEY = 'timestamps/bound';
const DEFAULT_WINDOW_MS = 3000;

interface TimestampOracleOptions {
  readonly coordination: Coordination;
  readonly clock: Clock;
  /** How far ahead the bound is written; a new leader may begin this much ahead of its clock. Default 3 s. */
  readonly windowMs?: number;
}

/** What one leadership knows: every timestamp given before lies below `next`, and `bound` is written. */
interface Range {
  readonly leadership: Leadership;
  readonly next: HybridTimestamp;
  readonly bound: HybridTimestamp;
}

/**
 * Gives timestamps, strictly increasing over leaders, restarts and clock jumps: none is given out unless a bound above it has been
 * written as a name, and a leader begins at the bound that it finds. They follow the wall clock where it runs ahead of that.
 */
export class TimestampOracle {
  readonly #coordination: Coordination;
  readonly #clock: Clock;
  readonly #windowMs: number;
  #range: Range | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: TimestampOracleOptions) {
    this.#coordination = options.coordination;
    this.#clock = options.clock;
    this.#windowMs = options.windowMs ?? DEFAULT_WINDOW_MS;
  }

  /**
   * The next timestamp of this leadership. Calls are answered in their order.
   * @throws TidemarkError TM-LEAD-002 if the leadership is lost, TM-LEAD-003 while it cannot be confirmed
   */
  next(leadership: Leadership): Promise<HybridTimestamp> {
    const turn = this.#last.then(() => this.#next(leadership));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #next(leadership: Leadership): Promise<HybridTimestamp> {
    leadership.signal.throwIfAborted();
    let range = this.#range?.leadership === leadership ? this.#range : await this.#takeOver(leadership);
    const wall = hybridTimestamp(this.#clock.nowMs());
    const timestamp = wall > range.next ? wall : range.next;
    if (timestamp >= range.bound) {
      const bound = hybridTimestamp(timestampMs(timestamp) + this.#windowMs);
      await leadership.put(BOUND_KEY, formatTimestamp(bound));
      range = { ...range, bound };
    }
    // Below a bound that is written, only time tells whether another leader has begun above it.
    if (!leadership.holdsNames()) {
      leadership.signal.throwIfAborted();
      throw new TidemarkError('TM-LEAD-003', `the leadership of term ${leadership.term} cannot be confirmed`);
    }
    this.#range = { ...range, next: nextTimestamp(timestamp) };
    return timestamp;
  }

  async #takeOver(leadership: Leadership): Promise<Range> {
    const written = await this.#coordination.get(BOUND_KEY);
    const bound = written === null ? TIMESTAMP_ZERO : parseTimestamp(written);
    return { leadership, next: bound, bound };
  }
}
