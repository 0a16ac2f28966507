import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import {
  measureClock,
  wholeMilliseconds,
  type ClockMeasurement,
  type TimeAround,
} from '../../shared/cuts/clock-measurement.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';

/** One reading of a node's WAL insert position. */
export interface PositionSample {
  /** Every record inserted before the reading ends at or before it, and none that starts below it was inserted after. */
  readonly insertLsn: Lsn;
  readonly timeline: number;
  readonly systemIdentifier: string;
  /** By the node's clock, microseconds since 1970-01-01 UTC; read just before the position. */
  readonly nodeTimeUs: bigint;
  /** Of the call that read it, as the agent says. */
  readonly around: TimeAround;
  /** The agent's monotonic clock when the call arrived, and how long the reading took; null if it does not say. */
  readonly agentClock: { readonly arrivedMs: number; readonly readingUs: number } | null;
  /** Just before it was read, the server's settings let no commit return that was not acknowledged. */
  readonly synchronous: boolean;
}

/** Asks the agents of the nodes' primaries. */
export interface PositionSampler {
  /**
   * @param options.flush make durable what was inserted before the reading, without waiting for PostgreSQL to do so by itself
   * @throws TidemarkError if the node's primary does not answer in time
   */
  sample(node: string, options: { readonly flush: boolean; readonly signal: AbortSignal }): Promise<PositionSample>;
}

/** A node's two readings. */
export interface NodeCollect {
  readonly node: string;
  readonly first: PositionSample;
  readonly second: PositionSample;
  /** The node's clock beside the leader's, as the second reading showed it. */
  readonly clock: ClockMeasurement;
}

export interface Collect<T> {
  readonly nodes: readonly NodeCollect[];
  /** Why a node has no two readings of one history. */
  readonly failures: ReadonlyMap<string, unknown>;
  /** From before the first reading of round one to after its last: two readings lie at most this far apart. */
  readonly firstRoundUs: number;
  /** Made between the rounds. */
  readonly between: T;
}

interface CollectOptions<T> {
  readonly sampler: PositionSampler;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called with the first readings after every node of round one has answered or failed, before round two begins. */
  readonly between: (first: ReadonlyMap<string, PositionSample>) => Promise<T>;
}

/**
 * Reads every node's position, and once all have answered, reads it again. There is an instant between the rounds: what lies
 * below a node's first reading was written before it, and what lies at or above the second one after it.
 */
export async function doubleCollect<T>(nodes: readonly string[], options: CollectOptions<T>): Promise<Collect<T>> {
  const failures = new Map<string, unknown>();
  const first = await collectRound(nodes, options, failures);
  const between = await options.between(new Map([...first.samples].map(([node, { sample }]) => [node, sample])));
  const second = await collectRound([...first.samples.keys()], options, failures);
  const collected: NodeCollect[] = [];
  for (const [node, after] of second.samples) {
    const before = first.samples.get(node);
    if (before === undefined) {
      continue;
    }
    if (
      before.sample.timeline !== after.sample.timeline ||
      before.sample.systemIdentifier !== after.sample.systemIdentifier
    ) {
      failures.set(node, new Error(`${node} changed its timeline during the collect`));
      continue;
    }
    collected.push({
      node,
      first: before.sample,
      second: after.sample,
      clock: after.clock,
    });
  }
  return { nodes: collected, failures, firstRoundUs: first.durationUs, between };
}

interface Round {
  readonly samples: ReadonlyMap<string, { readonly sample: PositionSample; readonly clock: ClockMeasurement }>;
  readonly durationUs: number;
}

async function collectRound(
  nodes: readonly string[],
  { sampler, clock, timeoutMs, signal }: Pick<CollectOptions<unknown>, 'sampler' | 'clock' | 'timeoutMs' | 'signal'>,
  failures: Map<string, unknown>,
): Promise<Round> {
  const startedMs = clock.monotonicMs();
  const deadline = withDeadline(signal, timeoutMs);
  const samples = new Map<string, { sample: PositionSample; clock: ClockMeasurement }>();
  // A node that does not answer ends the round late, but does not make the readings of the others lie further apart.
  let lastMs = startedMs;
  await Promise.all(
    nodes.map(async (node) => {
      const askedAtMs = clock.monotonicMs();
      const askedAt = wholeMilliseconds(clock.nowMs());
      try {
        const sample = await sampler.sample(node, { flush: false, signal: deadline });
        lastMs = clock.monotonicMs();
        samples.set(node, { sample, clock: measureClock({ ...sample, askedAt, tookMs: lastMs - askedAtMs }) });
      } catch (error) {
        failures.set(node, error);
      }
    }),
  );
  signal.throwIfAborted();
  return { samples, durationUs: Math.ceil((lastMs - startedMs) * 1000) };
}

/** TM-SNAP-002 with the reason of each of the nodes. */
export function nobodyAnswered(
  collect: Collect<unknown>,
  streams: readonly { readonly node: string }[],
): TidemarkError {
  const reasons = streams.map(({ node }) => {
    const failure = collect.failures.get(node);
    return `${node} (${failure instanceof Error ? failure.message : 'its WAL is not followed yet'})`;
  });
  return new TidemarkError('TM-SNAP-002', `no node answered: ${reasons.join(', ')}`, {
    hint: 'The last complete snapshot stays the one that "latest" means. See tidemark status.',
  });
}
