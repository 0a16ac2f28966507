import { TidemarkError } from '../errors/tidemark-error.ts';
import type { ClockReading } from '../wal/clock-reading.ts';

/** How fast two clocks drift apart at most between two readings, steps aside: more than a crystal, less than half of what NTP may slew. */
const DRIFT_PER_US = 200e-6;

/**
 * How long after the time in it a record is inserted at most: a PREPARE was seen 0.8 ms late behind others, and no other record was. It
 * is asked for where a cut may be an instant's, is part of a bound, and says when what follows a reading happened at the earliest.
 */
export const INSERTION_DELAY_US = 1_000;

/** By the leader's clock, microseconds since 1970-01-01 UTC: it happened at or between the two. */
export interface TimeSpan {
  readonly earliestUs: number;
  readonly latestUs: number;
}

interface Reading {
  readonly atLsn: number;
  readonly nodeTimeUs: number;
  readonly offsetUs: number;
  readonly uncertaintyUs: number;
}

/**
 * One node's clock beside the leader's, by the readings that were kept: of an event of the node's WAL it tells when it happened by the
 * leader's clock. The readings before and after an event's position bracket it, in whatever order the node's clock
 * shows them. Between two readings the offset lies within the hull of what they say, and farther out by the drift; two that
 * contradict each other had a step of a clock between them, and then it is not known on which side of it the event lies. Whatever
 * the node's clock shows, what lies behind a reading's position was written after the reading, and what lies before it before.
 */
export class NodeClock {
  readonly #node: string;
  readonly #readings: readonly Reading[];
  readonly stepUs: number;
  /** The reading after the position that was asked for last. */
  #next = 0;

  /** @param stepUs added on both sides: how far the leader's own clock may have been set meanwhile, see {@link commonStepUs} */
  constructor(node: string, readings: readonly ClockReading[], stepUs = 0) {
    this.#node = node;
    this.stepUs = stepUs;
    this.#readings = readings
      .map(({ atLsn, nodeTimeUs, offsetUs, uncertaintyUs }) => ({
        atLsn: Number(atLsn),
        nodeTimeUs: Number(nodeTimeUs),
        offsetUs: Number(offsetUs),
        uncertaintyUs: Number(uncertaintyUs),
      }))
      .sort((a, b) => a.atLsn - b.atLsn || a.nodeTimeUs + a.offsetUs - (b.nodeTimeUs + b.offsetUs));
  }

  get isKnown(): boolean {
    return this.#readings.length > 0;
  }

  /** The largest step between two neighbouring readings; 0 if none contradict each other. */
  get largestStepUs(): number {
    return this.#readings.reduce((largest, reading, index) => {
      const before = this.#readings[index - 1];
      return before === undefined || agree(before, reading)
        ? largest
        : Math.max(largest, Math.abs(reading.offsetUs - before.offsetUs));
    }, 0);
  }

  /**
   * When an event happened. Positions are asked for in increasing order, or it takes longer.
   * @throws TidemarkError TM-SNAP-004 if the clock was never read
   */
  span(atLsn: number, nodeTimeUs: number): TimeSpan {
    while (this.#next > 0 && (this.#readings[this.#next - 1]?.atLsn ?? 0) > atLsn) this.#next--;
    while (this.#next < this.#readings.length && (this.#readings[this.#next]?.atLsn ?? 0) <= atLsn) this.#next++;
    const before = this.#readings[this.#next - 1];
    const after = this.#readings[this.#next];
    const low = before ?? after;
    const high = before === undefined ? undefined : after;
    if (low === undefined) {
      throw new TidemarkError('TM-SNAP-004', `the clock of node ${this.#node} was not read: its times cannot be told`);
    }
    let leastUs = low.offsetUs - low.uncertaintyUs;
    let mostUs = low.offsetUs + low.uncertaintyUs;
    let distanceUs = Math.abs(nodeTimeUs - low.nodeTimeUs);
    if (high !== undefined) {
      leastUs = Math.min(leastUs, high.offsetUs - high.uncertaintyUs);
      mostUs = Math.max(mostUs, high.offsetUs + high.uncertaintyUs);
      const other = Math.abs(nodeTimeUs - high.nodeTimeUs);
      distanceUs = agree(low, high) ? Math.min(distanceUs, other) : Math.max(distanceUs, other);
    }
    const marginUs = Math.ceil(distanceUs * DRIFT_PER_US) + this.stepUs;
    const afterUs = before === undefined ? -Infinity : this.#earliest(before) - INSERTION_DELAY_US;
    const beforeUs = after === undefined ? Infinity : this.#latest(after);
    const earliestUs = Math.max(nodeTimeUs + leastUs - marginUs, afterUs);
    return { earliestUs, latestUs: Math.max(earliestUs, Math.min(nodeTimeUs + mostUs + marginUs, beforeUs)) };
  }

  /**
   * The first reading that was surely taken after a moment: whatever was written at or before the moment lies below its position. Null if
   * there is none at or below `readLsn`.
   */
  readAfter(momentUs: number, readLsn: number): number | null {
    const found = this.#readings.find((reading) => this.#earliest(reading) > momentUs && reading.atLsn <= readLsn);
    return found?.atLsn ?? null;
  }

  /** The last moment of which a reading at or below `readLsn` says that everything before it was read; null if there is no reading. */
  readUntilUs(readLsn: number): number | null {
    const moments = this.#readings.filter(({ atLsn }) => atLsn <= readLsn).map((reading) => this.#earliest(reading));
    return moments.length === 0 ? null : Math.max(...moments);
  }

  /** About what is added to the node's clock at a position. */
  offsetUs(atLsn: number): number {
    const near = this.#readings.findLast((reading) => reading.atLsn <= atLsn) ?? this.#readings[0];
    return near?.offsetUs ?? 0;
  }

  #latest({ nodeTimeUs, offsetUs, uncertaintyUs }: Reading): number {
    return nodeTimeUs + offsetUs + uncertaintyUs + this.stepUs;
  }

  #earliest({ nodeTimeUs, offsetUs, uncertaintyUs }: Reading): number {
    return nodeTimeUs + offsetUs - uncertaintyUs - this.stepUs;
  }
}

/**
 * How far the leader's own clock may have been set (or another leader's differs) over the readings of all nodes: such a step shows in
 * the readings of every node, so at most the second largest step. A step that one node alone shows is its own.
 */
export function commonStepUs(clocks: readonly NodeClock[]): number {
  const steps = clocks.map((clock) => clock.largestStepUs).sort((a, b) => b - a);
  return steps[1] ?? 0;
}

/** Whether two readings can be explained without a step. */
function agree(a: Reading, b: Reading): boolean {
  const driftUs = Math.abs(a.nodeTimeUs - b.nodeTimeUs) * DRIFT_PER_US;
  return Math.abs(a.offsetUs - b.offsetUs) <= a.uncertaintyUs + b.uncertaintyUs + driftUs;
}
