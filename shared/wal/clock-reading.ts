import type { Lsn } from '../postgres/lsn.ts';

/** How far a node's clock stood from the leader's, as the leader measured it while WAL came in. */
export interface ClockReading {
  /** The node's WAL reached here when its clock was read. */
  readonly atLsn: Lsn;
  /** By the node's clock: microseconds since 1970-01-01 UTC. */
  readonly nodeTimeUs: bigint;
  /** The leader's clock minus the node's. */
  readonly offsetUs: bigint;
  /** The true offset lies at most this far from `offsetUs`. */
  readonly uncertaintyUs: bigint;
  /** The coordinator that measured it, and its term then: another leader has another clock. */
  readonly coordinatorId: string;
  readonly term: bigint;
}

/** At most this many lie in one change set, and in one segment's index. */
export const CLOCK_READINGS_MAX = 64;

/** Of too many readings in a row, as many as may be kept: of neighbours the one that is least uncertain. In order. */
export function thinClocks(readings: readonly ClockReading[]): readonly ClockReading[] {
  if (readings.length <= CLOCK_READINGS_MAX) return readings;
  return Array.from({ length: CLOCK_READINGS_MAX }, (_, group) => {
    const from = Math.floor((group * readings.length) / CLOCK_READINGS_MAX);
    const to = Math.floor(((group + 1) * readings.length) / CLOCK_READINGS_MAX);
    return readings.slice(from, to).reduce((best, one) => (one.uncertaintyUs < best.uncertaintyUs ? one : best));
  });
}
