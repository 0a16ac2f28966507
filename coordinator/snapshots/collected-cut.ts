import type { CutNode } from '../../shared/cuts/cut.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { HybridTimestamp } from '../../shared/timestamp/hybrid-timestamp.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { AcknowledgedVector } from './acknowledged-vector.ts';
import type { Collect, NodeCollect } from './double-collect.ts';
import type { WalTracker } from './wal-tracker.ts';

/** What is done between the rounds of a collect. */
export interface Between {
  readonly timestamp: HybridTimestamp;
  /** Of all nodes; null unless all of them were in synchronous mode in the first round. */
  readonly acknowledged: AcknowledgedVector | null;
}

/** The nodes as the cut engine takes them. @param wishOf where a node that answered is wanted at most */
export function cutNodesAt(
  tracker: WalTracker,
  streams: readonly WalStreamKey[],
  sampled: readonly NodeCollect[],
  wishOf: (node: NodeCollect) => Lsn,
): CutNode[] {
  const cutNodes: CutNode[] = [];
  for (const known of tracker.nodes()) {
    if (!streams.some((stream) => stream.node === known.node)) {
      continue;
    }
    const vector = sampled.find(({ node }) => node === known.node);
    // A node that does not answer stands where its WAL ended when the collect began. What has come since may have been written after
    // the others were asked, and so may be more than they were read to decide.
    const wishLsn = vector === undefined ? known.beforeCollectLsn : wishOf(vector);
    const wishPosition = wishLsn === null ? null : known.positionAt(wishLsn);
    if (wishLsn === null || wishPosition === null) {
      continue;
    }
    cutNodes.push({
      node: known.node,
      wishLsn,
      wishPosition,
      decidedByLsn: vector?.second.insertLsn ?? wishLsn,
      readLsn: known.readLsn,
      silent: vector === undefined,
      ...known.history.forCut(),
    });
  }
  return cutNodes;
}

/** The acknowledged positions, if every node was in synchronous mode in both rounds; they lie between its two readings. */
export function synchronousWish({ nodes, between }: Collect<Between>): AcknowledgedVector | null {
  const { acknowledged } = between;
  const isBracketed = nodes.every(({ node, first, second }) => {
    const position = acknowledged?.get(node);
    return second.synchronous && position !== undefined && position >= first.insertLsn && position <= second.insertLsn;
  });
  return isBracketed ? acknowledged : null;
}
