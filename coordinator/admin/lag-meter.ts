import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';

interface Sample {
  readonly flushLsn: Lsn;
  /** On a monotonic scale. */
  readonly atMs: number;
}

/** Samples kept; the oldest ones are thinned out first, so that a long lag is known coarsely and a short one exactly. */
const SAMPLES_MAX = 512;

/**
 * Tells for how long a node's WAL has waited at a position: remembers when PostgreSQL was first seen to have flushed what. Holds few samples
 * however long the wait is.
 */
export class LagMeter {
  #samples: Sample[] = [];

  /** PostgreSQL had flushed up to `flushLsn` at `nowMs`. A position that goes back (a new server) starts anew. */
  observe(flushLsn: Lsn, nowMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && flushLsn < last.flushLsn) {
      this.#samples = [];
    } else if (flushLsn === last?.flushLsn || flushLsn === NO_LSN) {
      return;
    }
    this.#samples.push({ flushLsn, atMs: nowMs });
    if (this.#samples.length > SAMPLES_MAX) {
      const half = SAMPLES_MAX / 2;
      this.#samples = this.#samples.filter((_, index) => index >= half || index % 2 === 0);
    }
  }

  /** How long the first byte after `durableLsn` has waited, in milliseconds; 0 if there is none. */
  lagMs(durableLsn: Lsn, nowMs: number): number {
    const oldest = this.#samples.find(({ flushLsn }) => flushLsn > durableLsn);
    return oldest === undefined ? 0 : Math.max(0, nowMs - oldest.atMs);
  }
}
