import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { PositionSample, PositionSampler } from './double-collect.ts';

const WAIT_MS = 1_000;

/** How far each node's WAL was acknowledged at one moment. */
export type AcknowledgedVector = ReadonlyMap<string, Lsn>;

interface VectorOptions {
  readonly acknowledgements: {
    acknowledged(stream: WalStreamKey): Lsn;
    waitForAcknowledged(stream: WalStreamKey, lsn: Lsn, signal: AbortSignal): Promise<void>;
  };
  readonly sampler: PositionSampler;
  /** WAL that is not acknowledged after this long is flushed on its node. */
  readonly flushAfterMs: number;
  readonly signal: AbortSignal;
}

/**
 * The leader's acknowledged positions of all nodes, read in one turn, none behind the node's first reading of the collect. Null if a node
 * is missing or not in synchronous mode, or does not come that far soon.
 *
 * For sessions that wait for the agent, what lies below this vector is closed under "had returned before the other began": such a
 * transaction was acknowledged before, so at this moment it lies below. The first readings are waited for because what was committed
 * before them may have been committed in another mode, or acknowledged by another leader.
 */
export async function acknowledgedVector(
  streams: readonly WalStreamKey[],
  first: ReadonlyMap<string, PositionSample>,
  options: VectorOptions,
): Promise<AcknowledgedVector | null> {
  const { acknowledgements, signal } = options;
  if (!streams.every((stream) => isSynchronous(stream, first.get(stream.node)))) return null;
  const deadline = withDeadline(signal, WAIT_MS);
  try {
    await Promise.all(
      streams.map(async (stream) => {
        await untilAcknowledged(stream, first.get(stream.node)?.insertLsn ?? NO_LSN, deadline, options);
      }),
    );
  } catch {
    signal.throwIfAborted();
    return null;
  }
  // Nothing may come between the first of these and the last.
  return new Map(streams.map((stream) => [stream.node, acknowledgements.acknowledged(stream)]));
}

function isSynchronous(stream: WalStreamKey, sample: PositionSample | undefined): boolean {
  return (
    sample !== undefined &&
    sample.synchronous &&
    sample.timeline === stream.timeline &&
    sample.systemIdentifier === stream.systemIdentifier
  );
}

/** Records of an idle transaction would wait for nobody. */
async function untilAcknowledged(
  stream: WalStreamKey,
  position: Lsn,
  deadline: AbortSignal,
  { acknowledgements, sampler, flushAfterMs }: VectorOptions,
): Promise<void> {
  const soon = withDeadline(deadline, flushAfterMs);
  try {
    await acknowledgements.waitForAcknowledged(stream, position, soon);
  } catch {
    deadline.throwIfAborted();
    await sampler.sample(stream.node, { flush: true, signal: deadline });
    await acknowledgements.waitForAcknowledged(stream, position, deadline);
  }
}
