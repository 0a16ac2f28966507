import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import { formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { SnapshotNode } from '../../shared/repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { NodeCollect, PositionSampler } from './double-collect.ts';
import type { WalTracker } from './wal-tracker.ts';

interface WaitOptions {
  readonly acknowledgements: {
    acknowledged(stream: WalStreamKey): Lsn;
    waitForAcknowledged(stream: WalStreamKey, lsn: Lsn, signal: AbortSignal): Promise<void>;
  };
  /** Its abortion ends the waiting with its own reason. */
  readonly signal: AbortSignal;
  /** Includes the signal. */
  readonly deadline: AbortSignal;
}

/**
 * Until a node's WAL was read up to where it stood in the collect, and is durable up to there. WAL that does not come soon is flushed on its
 * node.
 * @throws TidemarkError TM-SNAP-002 at the deadline
 */
export async function waitForCollected(
  { node, second }: NodeCollect,
  options: WaitOptions & {
    readonly tracker: WalTracker;
    readonly sampler: PositionSampler;
    readonly flushAfterMs: number;
  },
): Promise<void> {
  const { acknowledgements, signal, deadline, sampler, flushAfterMs } = options;
  const tracker = options.tracker.node(node);
  if (tracker === null) {
    return;
  }
  const { insertLsn } = second;
  try {
    const soon = withDeadline(deadline, flushAfterMs);
    await tracker.waitForRead(insertLsn, soon).catch(async () => {
      deadline.throwIfAborted();
      await sampler.sample(node, { flush: true, signal: deadline });
      await tracker.waitForRead(insertLsn, deadline);
    });
    await acknowledgements.waitForAcknowledged(tracker.stream, insertLsn, deadline);
  } catch (cause) {
    signal.throwIfAborted();
    const acknowledged = acknowledgements.acknowledged(tracker.stream);
    throw new TidemarkError(
      'TM-SNAP-002',
      `node ${node} stood at ${formatLsn(insertLsn)}, but its WAL was read up to ${formatLsn(tracker.readLsn)} and is durable up to ${formatLsn(acknowledged)} only`,
      { cause },
    );
  }
}

/** Until the WAL of a node's cut is durable. @throws TidemarkError TM-SNAP-002 at the deadline */
export async function waitForDurable(node: SnapshotNode, options: WaitOptions): Promise<void> {
  const { acknowledgements, signal, deadline } = options;
  try {
    await acknowledgements.waitForAcknowledged(node, node.walEndLsn, deadline);
  } catch (cause) {
    signal.throwIfAborted();
    throw new TidemarkError(
      'TM-SNAP-002',
      `the WAL of node ${node.node} up to its cut at ${formatLsn(node.walEndLsn)} is not durable on the required copies`,
      { cause },
    );
  }
}
