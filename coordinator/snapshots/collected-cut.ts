import type { Cut, CutNode, CutNodePosition } from '../../shared/cuts/cut.ts';
import type { BranchMatcher } from '../../shared/cuts/branch-matcher.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { BrokenTransaction, SnapshotClass, SnapshotNode } from '../../shared/repository/snapshot-manifest.ts';
import { assert } from '../../shared/errors/assert.ts';
import type { HybridTimestamp } from '../../shared/timestamp/hybrid-timestamp.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { AcknowledgedVector } from './acknowledged-vector.ts';
import type { Collect, NodeCollect } from './double-collect.ts';
import type { NodeInCut } from './forgotten-transactions.ts';
import { findUndecided } from './undecided.ts';
import type { WalTracker } from './wal-tracker.ts';

/** What is done between the rounds of a collect. */
export interface Between {
  readonly timestamp: HybridTimestamp;
  /** Of all nodes; null unless all of them were in synchronous mode in the first round. */
  readonly acknowledged: AcknowledgedVector | null;
}

/** A cut that can be declared: decided, and durable on the required copies. */
export interface Draft {
  readonly cut: Cut;
  readonly nodes: readonly SnapshotNode[];
  /** How the cut took the nodes; empty if nothing may be forgotten because of it. */
  readonly seen: readonly NodeInCut[];
  readonly class: SnapshotClass;
  /** No node answered; it is of all nodes all the same. */
  readonly afterLoss: boolean;
}

/** The nodes that a cut will be of, and which of them are silent. */
export function seenNodes(
  tracker: WalTracker,
  streams: readonly WalStreamKey[],
  sampled: readonly NodeCollect[],
): NodeInCut[] {
  return tracker
    .nodes()
    .filter((known) => streams.some(({ node }) => node === known.node))
    .flatMap((known): NodeInCut[] => {
      if (sampled.some(({ node }) => node === known.node)) return [{ known, silentFromLsn: null }];
      return known.beforeCollectLsn === null ? [] : [{ known, silentFromLsn: known.beforeCollectLsn }];
    });
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
    // the others were asked, and so may be more than they were read to decide: it is not looked at, also not at its PREPAREs. So no cut
    // falls below an earlier one, in which a transaction may have been forgotten.
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
      ...known.history.forCut(vector === undefined ? wishLsn : undefined),
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

/** What nobody can decide over in a cut. */
export function undecidedIn(
  { inDoubt }: Pick<Cut, 'inDoubt'>,
  tracker: WalTracker,
  matchers: readonly BranchMatcher[],
): BrokenTransaction[] {
  const nodes = tracker.nodes().map(({ node, history }) => ({ node, ...history.forCut() }));
  return findUndecided(inDoubt, nodes, matchers);
}

/** A cut's nodes for a manifest. @param sampleOf what the collect says of a node */
export function snapshotNodes(
  tracker: WalTracker,
  cut: Cut,
  sampleOf: (node: string, position: CutNodePosition) => Pick<SnapshotNode, 'sampledLsn' | 'sampled' | 'clock'>,
): SnapshotNode[] {
  return cut.nodes.map((position): SnapshotNode => {
    const known = tracker.node(position.node);
    assert(known !== null, 'a node of a cut is followed');
    return {
      node: position.node,
      systemIdentifier: known.stream.systemIdentifier,
      timeline: known.stream.timeline,
      targetLsn: position.targetLsn,
      walEndLsn: position.walEndLsn,
      walSegmentBytes: known.segmentBytes,
      ...sampleOf(position.node, position),
      ...(known.history.originates.size === 0 ? {} : { originates: [...known.history.originates] }),
    };
  });
}
