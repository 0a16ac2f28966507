import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { ClockReading } from '../../shared/wal/clock-reading.ts';

/** A node that was read no longer ago than this answers. */
const ANSWERS_MS = 5_000;
/** Of one node whose WAL is not acknowledged; then every other one goes. */
const MARKS_MAX = 1_024;

interface Mark {
  readonly lsn: Lsn;
  readonly untilUs: bigint;
}

/**
 * Up to which moment of the leader's time the state of one node can be told: a reading of its clock that was taken after a moment says that
 * whatever was written by then lies below the reading's position. It counts as soon as the WAL up to there is acknowledged: for whoever
 * has a copy if it lies beside that WAL, and for the leader also if it does not, as long as the node answers, because a snapshot can be
 * taken then.
 */
export class ToldTime {
  #taken: readonly Mark[] = [];
  #stored: readonly Mark[] = [];
  #readAtMs = -Infinity;

  /** The clock was read. @param atMs monotonic */
  taken(reading: ClockReading, atMs: number): void {
    this.#taken = added(this.#taken, { lsn: reading.atLsn, untilUs: untilUs(reading) });
    this.#readAtMs = atMs;
  }

  /** The reading lies beside WAL that ends at `endLsn`. */
  stored(reading: ClockReading, endLsn: Lsn): void {
    this.#stored = added(this.#stored, { lsn: endLsn, untilUs: untilUs(reading) });
  }

  /** Microseconds since 1970-01-01 UTC; null if nothing is known of it. @param nowMs monotonic */
  untilUs(
    acknowledgedLsn: Lsn,
    nowMs: number,
  ): { readonly fromCopyUs: bigint | null; readonly byLeaderUs: bigint | null } {
    this.#taken = withoutPast(this.#taken, acknowledgedLsn);
    this.#stored = withoutPast(this.#stored, acknowledgedLsn);
    return {
      fromCopyUs: latest(this.#stored, acknowledgedLsn),
      byLeaderUs: nowMs - this.#readAtMs > ANSWERS_MS ? null : latest(this.#taken, acknowledgedLsn),
    };
  }
}

/** The last microsecond that surely lies before the reading. */
function untilUs({ nodeTimeUs, offsetUs, uncertaintyUs }: ClockReading): bigint {
  return nodeTimeUs + offsetUs - uncertaintyUs - 1n;
}

function added(marks: readonly Mark[], mark: Mark): readonly Mark[] {
  const kept = marks.length < MARKS_MAX ? marks : marks.filter((_, index) => index % 2 === 0);
  return [...kept, mark];
}

/** The newest one that counts, and those that do not yet. */
function withoutPast(marks: readonly Mark[], acknowledgedLsn: Lsn): readonly Mark[] {
  const newest = marks.findLastIndex(({ lsn }) => lsn <= acknowledgedLsn);
  return newest <= 0 ? marks : marks.slice(newest);
}

function latest(marks: readonly Mark[], acknowledgedLsn: Lsn): bigint | null {
  return marks.findLast(({ lsn }) => lsn <= acknowledgedLsn)?.untilUs ?? null;
}
