/** How far a node's clock stood from the leader's at one moment. */
export interface ClockMeasurement {
  /** By the node's clock: microseconds since 1970-01-01 UTC. */
  readonly nodeTimeUs: bigint;
  /** The leader's clock minus the node's. */
  readonly offsetUs: bigint;
  /** The true offset lies at most this far from `offsetUs`. */
  readonly uncertaintyUs: bigint;
}

/** The leader's wall clock at a moment: milliseconds since 1970-01-01 UTC, at or between the two. */
export interface WallTime {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** What an agent did in a call beside reading its node's clock, by its monotonic clock. */
export interface TimeAround {
  /** Between the call's arrival and the asking for the reading, in microseconds. */
  readonly beforeUs: number;
  /** Between the reading's arrival and the answer to the call. */
  readonly afterUs: number;
}

/** A wall clock that shows whole milliseconds shows up to this much less than it is. */
const WALL_RESOLUTION_MS = 1;

/** How much faster one host's monotonic clock may run than another's: NTP slews each by at most 500 ppm. */
const RATE_DIFFERENCE = 1e-3;

/** What a wall clock that shows whole milliseconds tells. */
export function wholeMilliseconds(nowMs: number): WallTime {
  return { earliestMs: nowMs, latestMs: nowMs + WALL_RESOLUTION_MS };
}

/**
 * What a call that reads a node's clock tells. The node read it at some moment of the call, whichever, but not while the agent did something
 * else: what the call spent on its ways there and back and on the reading itself is all that is uncertain.
 * @param call.askedAt before the call
 * @param call.tookMs the call's length, by the leader's monotonic clock
 */
export function measureClock(call: {
  readonly nodeTimeUs: bigint;
  readonly askedAt: WallTime;
  readonly tookMs: number;
  readonly around?: TimeAround;
}): ClockMeasurement {
  const { nodeTimeUs, askedAt, tookMs } = call;
  const around = call.around ?? { beforeUs: 0, afterUs: 0 };
  const claimedMs = (around.beforeUs + around.afterUs) / 1000;
  const share = claimedMs > tookMs * (1 + RATE_DIFFERENCE) ? 0 : (1 - RATE_DIFFERENCE) / 1000;
  const earliestMs = askedAt.earliestMs + around.beforeUs * share;
  const latestMs = askedAt.latestMs + tookMs - around.afterUs * share;
  const middleUs = BigInt(Math.round((earliestMs + latestMs) * 500));
  return {
    nodeTimeUs,
    offsetUs: middleUs - nodeTimeUs,
    // The middle is rounded, and so is the node's time.
    uncertaintyUs: BigInt(Math.ceil((latestMs - earliestMs) * 500) + 1),
  };
}
