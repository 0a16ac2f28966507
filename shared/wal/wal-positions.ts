import type { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, lsn, type Lsn } from '../postgres/lsn.ts';
import { damagedWal } from './page-sequence.ts';
import { joinHalves } from './wide-integer.ts';

const HALF = 0x1_0000_0000;

/** Stands for no position. */
export const NO_POSITION = -1;

/**
 * The positions of one WAL history as numbers, counted from the start of the 4 GiB of WAL that its first byte lies in: what is
 * computed for every record is not computed with bigints.
 */
export class WalPositions {
  readonly #timeline: number;
  readonly #startHigh: number;
  /** Of the first byte. */
  readonly first: number;

  constructor(timeline: number, startLsn: Lsn) {
    this.#timeline = timeline;
    this.#startHigh = Number(startLsn >> 32n);
    this.first = Number(startLsn & 0xffff_ffffn);
  }

  /** Lower half of the absolute position. */
  low(position: number): number {
    return position >>> 0;
  }

  /** Upper half of the absolute position. */
  high(position: number): number {
    return this.#startHigh + Math.floor(position / HALF);
  }

  /** @throws TidemarkError TM-WAL-001 behind the last position that there is */
  lsn(position: number): Lsn {
    const high = this.high(position);
    if (high >= HALF) return lsn(BigInt(high) * BigInt(HALF) + BigInt(this.low(position)));
    return joinHalves(high, this.low(position)) as Lsn;
  }

  text(position: number): string {
    return formatLsn(this.lsn(position));
  }

  /** TM-WAL-002: what is at this position is not valid WAL. */
  damaged(position: number, reason: string, cause?: unknown): TidemarkError {
    return damagedWal(this.#timeline, this.lsn(position), reason, cause);
  }
}
