import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { BranchMatcher } from '../../shared/cuts/branch-matcher.ts';
import { computeCut, type Cut, type CutNode } from '../../shared/cuts/cut.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { NodeTracker } from './node-tracker.ts';
import type { WalTracker } from './wal-tracker.ts';

/** Nobody is there; other errors come from someone who answers. */
const SILENCE = new Set(['TM-RPC-001', 'TM-RPC-004', 'TM-PG-001']);

interface LossOptions {
  readonly streams: readonly WalStreamKey[];
  /** Why each node gave no reading. */
  readonly failures: ReadonlyMap<string, unknown>;
  readonly tracker: WalTracker;
  readonly acknowledgements: {
    acknowledged(stream: WalStreamKey): Lsn;
    waitForAcknowledged(stream: WalStreamKey, lsn: Lsn, signal: AbortSignal): Promise<void>;
  };
  readonly matchers: readonly BranchMatcher[];
  /** Called with the nodes before the cut is computed from what was read of them. */
  readonly recall: (nodes: readonly NodeTracker[]) => Promise<void>;
  /** For what was read to be acknowledged. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/**
 * The cut at the acknowledged positions where no node answers any more, of nodes that were in synchronous mode until then. Null if a
 * node does answer, or something is not read or not acknowledged, or a transaction shows that a session did not wait.
 *
 * It holds every transaction that returned to a client. For sessions that waited it needs no later reading to be decided: every PREPARE
 * of a commit in it had returned before that commit was written, so it was acknowledged and was read.
 */
export async function cutAfterLoss(options: LossOptions): Promise<Cut | null> {
  const { streams, failures, tracker, acknowledgements, matchers, signal } = options;
  if (!streams.every(({ node }) => isSilence(failures.get(node)))) return null;
  const nodes: NodeTracker[] = [];
  for (const stream of streams) {
    const known = tracker.node(stream.node);
    if (known?.stream.timeline !== stream.timeline || known.stream.systemIdentifier !== stream.systemIdentifier) {
      return null;
    }
    nodes.push(known);
  }
  const deadline = withDeadline(signal, options.waitMs);
  try {
    // What was read comes from this copy, and may lie in it alone.
    await Promise.all(
      nodes.map(async (known) => {
        await acknowledgements.waitForAcknowledged(known.stream, known.readLsn, deadline);
        await known.waitForRead(acknowledgements.acknowledged(known.stream), deadline);
      }),
    );
  } catch {
    signal.throwIfAborted();
    return null;
  }
  await options.recall(nodes);
  const cutNodes: CutNode[] = [];
  for (const known of nodes) {
    const wishLsn = acknowledgements.acknowledged(known.stream);
    const wishPosition = known.positionAt(wishLsn);
    if (wishPosition === null || known.readLsn < wishLsn) return null;
    cutNodes.push({
      node: known.node,
      wishLsn,
      wishPosition,
      decidedByLsn: wishLsn,
      readLsn: known.readLsn,
      ...known.history.forCut(),
    });
  }
  const cut = computeCut(cutNodes, matchers);
  return cut.atWish ? cut : null;
}

function isSilence(failure: unknown): boolean {
  return failure instanceof TidemarkError
    ? SILENCE.has(failure.code)
    : failure instanceof DOMException && failure.name === 'TimeoutError';
}
