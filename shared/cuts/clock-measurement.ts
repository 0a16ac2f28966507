/** How far a node's clock stood from the leader's at one moment. */
export interface ClockMeasurement {
  /** By the node's clock: microseconds since 1970-01-01 UTC. */
  readonly nodeTimeUs: bigint;
  /** The leader's clock minus the node's. */
  readonly offsetUs: bigint;
  /** The true offset lies at most this far from `offsetUs`. */
  readonly uncertaintyUs: bigint;
}

/** A wall clock in whole milliseconds shows up to this much less than it is. */
const WALL_RESOLUTION_MS = 1;

/**
 * What a call that reads a node's clock tells: the node read it at some moment of the call, whichever.
 * @param call.askedAtMs the leader's wall clock before the call, in whole milliseconds
 * @param call.tookMs the call's length, by a monotonic clock
 */
export function measureClock(call: {
  readonly nodeTimeUs: bigint;
  readonly askedAtMs: number;
  readonly tookMs: number;
}): ClockMeasurement {
  const halfMs = (call.tookMs + WALL_RESOLUTION_MS) / 2;
  const middleUs = BigInt(Math.round((call.askedAtMs + halfMs) * 1000));
  return {
    nodeTimeUs: call.nodeTimeUs,
    offsetUs: middleUs - call.nodeTimeUs,
    uncertaintyUs: BigInt(Math.ceil(halfMs * 1000)),
  };
}
