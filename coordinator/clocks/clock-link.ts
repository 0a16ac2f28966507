import type { TimeAround } from '../../shared/cuts/clock-measurement.ts';

/** Two hosts' monotonic clocks may run apart by so much: NTP slews each by at most 500 ppm. */
const RATE_DIFFERENCE = 1e-3;
const ROUNDING_MS = 0.004;

/** One call to an agent; milliseconds of the leader's monotonic clock, and of the agent's. */
export interface LinkCall {
  readonly startedMs: number;
  readonly endedMs: number;
  /** The agent's clock when the call arrived. */
  readonly arrivedMs: number;
  readonly around: TimeAround;
  /** Between the two: the reading. */
  readonly readingUs: number;
}

/**
 * How far the leader's monotonic clock is ahead of an agent's. Each call says that it arrived after it was made and was answered before the
 * answer came; of calls in a row the quickest way there and the quickest way back count, which need not be of one call. Monotonic clocks are
 * never set, so what earlier calls said holds on, wider by what the clocks may have drifted.
 */
export class ClockLink {
  #leastMs = -Infinity;
  #mostMs = Infinity;
  #atMs = 0;

  /** What surely lay before and after the reading in a call, by the leader's clock. */
  take({ startedMs, endedMs, arrivedMs, around, readingUs }: LinkCall): TimeAround {
    const driftMs = (endedMs - this.#atMs) * RATE_DIFFERENCE;
    const answeredMs = arrivedMs + (around.beforeUs + readingUs) / 1000;
    const sentMs = answeredMs + around.afterUs / 1000;
    // Within a call the clocks drift too, and the agent's times are rounded.
    const slackMs = (endedMs - startedMs) * RATE_DIFFERENCE + ROUNDING_MS;
    const ownLeastMs = startedMs - arrivedMs - slackMs;
    const ownMostMs = endedMs - sentMs + slackMs;
    const leastMs = Math.max(this.#leastMs - driftMs, ownLeastMs);
    const mostMs = Math.min(this.#mostMs + driftMs, ownMostMs);
    const isNew = leastMs > mostMs;
    this.#leastMs = isNew ? ownLeastMs : leastMs;
    this.#mostMs = isNew ? ownMostMs : mostMs;
    this.#atMs = endedMs;
    const askedMs = arrivedMs + around.beforeUs / 1000;
    const beforeMs = askedMs + this.#leastMs - slackMs - startedMs;
    const afterMs = endedMs - (answeredMs + this.#mostMs + slackMs);
    return { beforeUs: Math.max(0, beforeMs * 1000), afterUs: Math.max(0, afterMs * 1000) };
  }
}
