import { TidemarkError } from '../errors/tidemark-error.ts';
import type { ClockReading } from '../wal/clock-reading.ts';

/**
 * How fast two clocks drift apart at most while neither is set or slewed: the bound that Spanner assumes, far above what a crystal
 * does (chrony takes 1 ppm for its own clock, NTP 15 ppm). A clock that is slewed faster is covered as one that moves one way.
 */
const DRIFT_PER_US = 200e-6;

/** Readings from farther than this are of no use beside a nearer one: the drift has eaten what they could tell. */
const REACH_US = 4_000_000;

/**
 * When a record came to be, by the leader's clock, microseconds since 1970-01-01 UTC. PostgreSQL takes the time that is in a record,
 * then inserts the record; nobody can have seen anything of it before.
 */
export interface TimeSpan {
  /** It was inserted at this moment or later. */
  readonly earliestUs: number;
  /** The time in it was taken at this moment or earlier. */
  readonly latestUs: number;
}

interface Reading {
  readonly atLsn: number;
  readonly nodeTimeUs: number;
  readonly offsetUs: number;
  readonly uncertaintyUs: number;
}

/** What is added to a node's clock lies between the two. */
interface OffsetRange {
  readonly leastUs: number;
  readonly mostUs: number;
}

/**
 * One node's clock beside the leader's, by the readings that were kept: of a record of the node's WAL it tells when it came to be by the
 * leader's clock.
 *
 * The readings before and after a record's position bracket it, in whatever order the node's clock shows them. Either all those near before
 * it or all those near after it were taken while the offset did nothing but drift up to the record, as long as a clock is set at most once
 * among them. So, between two readings, the offset lies in the hull of what those before agree on and what those after agree on, each widened by the drift. That
 * holds too where the offset moves one way only, however fast. A step is never needed to be seen for this; one that is seen (readings on
 * one side that contradict each other) ends the readings that count.
 *
 * Whatever the node's clock shows, what lies behind a reading's position was inserted after it, and what lies before it before: both the
 * clock and the position were read within the reading's bounds.
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
   * When a record came to be. Positions are asked for in increasing order, or it takes longer.
   * @throws TidemarkError TM-SNAP-004 if the clock was never read
   */
  span(atLsn: number, nodeTimeUs: number): TimeSpan {
    while (this.#next > 0 && (this.#readings[this.#next - 1]?.atLsn ?? 0) > atLsn) this.#next--;
    while (this.#next < this.#readings.length && (this.#readings[this.#next]?.atLsn ?? 0) <= atLsn) this.#next++;
    const before = this.#readings[this.#next - 1];
    const after = this.#readings[this.#next];
    // What is near on one side alone says nothing against a step between it and the record.
    const reachUs = before === undefined || after === undefined ? 0 : REACH_US;
    const low = this.#agreed(this.#next - 1, -1, nodeTimeUs, reachUs);
    const high = this.#agreed(this.#next, 1, nodeTimeUs, reachUs);
    let range = hull(low, high);
    if (low === null || high === null) {
      range = hull(hull(range, rangeAt(before, nodeTimeUs)), rangeAt(after, nodeTimeUs));
    }
    if (range === null) {
      throw new TidemarkError('TM-SNAP-004', `the clock of node ${this.#node} was not read: its times cannot be told`);
    }
    const leastUs = range.leastUs - this.stepUs;
    const mostUs = range.mostUs + this.stepUs;
    const earliestUs = Math.max(nodeTimeUs + leastUs, before === undefined ? -Infinity : this.#earliest(before));
    const latestUs = Math.min(nodeTimeUs + mostUs, after === undefined ? Infinity : this.#latest(after));
    return { earliestUs, latestUs: Math.max(earliestUs, latestUs) };
  }

  /** What lies at or behind a position was inserted after this moment; -Infinity if no reading says so. */
  insertedAfterUs(atLsn: number): number {
    const before = this.#readings.findLast((reading) => reading.atLsn <= atLsn);
    return before === undefined ? -Infinity : this.#earliest(before);
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

  /**
   * What readings on one side agree on at a time of the node's clock, the nearest first: up to one that is too far, or that contradicts
   * those that are nearer. Null if there is none.
   */
  #agreed(from: number, direction: 1 | -1, nodeTimeUs: number, reachUs: number): OffsetRange | null {
    let leastUs = -Infinity;
    let mostUs = Infinity;
    for (let index = from; ; index += direction) {
      const reading = this.#readings[index];
      if (reading === undefined) break;
      // It is on the other side in time: the record was inserted a while after its time, or the clock was read a while before the position.
      if ((reading.nodeTimeUs - nodeTimeUs) * direction < 0) continue;
      if (mostUs !== Infinity && Math.abs(nodeTimeUs - reading.nodeTimeUs) > reachUs) break;
      const marginUs = marginAt(reading, nodeTimeUs);
      const least = Math.max(leastUs, reading.offsetUs - marginUs);
      const most = Math.min(mostUs, reading.offsetUs + marginUs);
      if (least > most) break;
      leastUs = least;
      mostUs = most;
    }
    return mostUs === Infinity ? null : { leastUs, mostUs };
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

/** How far the offset at another time may lie from what a reading shows, if the clock was not set in between. */
function marginAt(reading: Reading, nodeTimeUs: number): number {
  return reading.uncertaintyUs + Math.ceil(Math.abs(nodeTimeUs - reading.nodeTimeUs) * DRIFT_PER_US);
}

function rangeAt(reading: Reading | undefined, nodeTimeUs: number): OffsetRange | null {
  if (reading === undefined) return null;
  const marginUs = marginAt(reading, nodeTimeUs);
  return { leastUs: reading.offsetUs - marginUs, mostUs: reading.offsetUs + marginUs };
}

function hull(a: OffsetRange | null, b: OffsetRange | null): OffsetRange | null {
  if (a === null || b === null) return a ?? b;
  return { leastUs: Math.min(a.leastUs, b.leastUs), mostUs: Math.max(a.mostUs, b.mostUs) };
}

/** Whether two readings can be explained without a step. */
function agree(a: Reading, b: Reading): boolean {
  const driftUs = Math.abs(a.nodeTimeUs - b.nodeTimeUs) * DRIFT_PER_US;
  return Math.abs(a.offsetUs - b.offsetUs) <= a.uncertaintyUs + b.uncertaintyUs + driftUs;
}
