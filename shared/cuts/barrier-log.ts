import { NO_LSN, type Lsn } from '../postgres/lsn.ts';

const KEPT_MAX = 4096;

/** A completed collect, as it passed one node. See {@link Branch}. */
export interface Barrier {
  readonly number: number;
  /** What starts below it happened before the barrier. */
  readonly beforeLsn: Lsn;
  /** What starts at or after it happened after the barrier. */
  readonly afterLsn: Lsn;
}

/** The barriers of one node, in order: all, or where there are too many, every second, fourth, eighth and so on. */
export class BarrierLog {
  #barriers: Barrier[] = [];
  #stride = 1;
  #skipped = 0;

  add(barrier: Barrier): void {
    this.#skipped += 1;
    if (this.#skipped < this.#stride) return;
    this.#skipped = 0;
    this.#barriers.push(barrier);
    if (this.#barriers.length < KEPT_MAX) return;
    this.#barriers = this.#barriers.filter((_, index) => index % 2 === 1);
    this.#stride *= 2;
  }

  /** Begins anew: nothing is asked any more of what lies before the last barrier. */
  clear(): void {
    this.#barriers = [];
    this.#stride = 1;
    this.#skipped = 0;
  }

  /** The number of the newest kept barrier that lies wholly before a record that starts here; 0 if none does. */
  newestBefore(position: Lsn): number {
    return this.#barriers[this.#count(({ afterLsn }) => afterLsn <= position) - 1]?.number ?? 0;
  }

  /** The number of the oldest kept barrier that lies wholly after a record that starts here; infinite if none does. */
  oldestAfter(position: Lsn): number {
    return this.#barriers[this.#count(({ beforeLsn }) => beforeLsn <= position)]?.number ?? Infinity;
  }

  /** What lay at or after `forkLsn` never happened: a barrier there says nothing of what lies there now. */
  switchTimeline(forkLsn: Lsn): void {
    this.#barriers = this.#barriers.filter(({ afterLsn }) => afterLsn <= forkLsn);
  }

  /** How many of the first ones have what a prefix of them has. */
  #count(has: (barrier: Barrier) => boolean): number {
    let low = 0;
    let high = this.#barriers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (has(this.#barriers[middle] ?? NONE)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const NONE: Barrier = { number: 0, beforeLsn: NO_LSN, afterLsn: NO_LSN };
