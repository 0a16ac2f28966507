import type { RecordPosition, Cut } from './cut.ts';
import { computeCut } from './cut.ts';
import { matchGid, type BranchMatcher } from './branch-matcher.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { InDoubtDecision, SnapshotClass } from '../repository/snapshot-manifest.ts';
import type { NodeClock } from './node-clock.ts';
import type { TimeScan } from './time-scan.ts';

/** One node, read past the moment. */
export interface TimeCutNode {
  readonly scan: TimeScan;
  readonly clock: NodeClock;
  readonly readLsn: Lsn;
  /** What stands for the wish where no record is too late: the last record that was read. */
  readonly endPosition: RecordPosition;
  /**
   * What the scan left out ended before this moment (leader's time), as far as it is not among the branches that were open then. Null
   * if nothing that matters was left out: it began at a snapshot's cut or where the node's WAL begins.
   */
  readonly fromUs: number | null;
  /** Where the node's WAL begins: what happened before may be told by a snapshot alone. Null or left out: where one says it. */
  readonly heldFromUs?: number | null;
  /** What lies before was not read, so its times cannot be told by `clock`. */
  readonly beganLsn: Lsn;
}

/** A branch in doubt of which it cannot be told whether its transaction was decided before what was read. */
export interface UnsettledBranch {
  readonly branch: InDoubtDecision;
  /** Of its transaction. */
  readonly key: string;
}

export type TimeCut =
  | { readonly kind: 'cut'; readonly cut: Cut; readonly class: SnapshotClass }
  /** Reading has to begin before this moment: the cut may have to leave out something that was inserted then. */
  | { readonly kind: 'read-earlier'; readonly fromUs: number }
  /** What was decided since these branches were prepared has to be looked up. */
  | { readonly kind: 'look-up'; readonly unsettled: readonly UnsettledBranch[] };

/**
 * The greatest closed cut at a moment T of the leader's time, which holds nothing that ended later. Every node was read past T.
 * See ARCHITECTURE.md, "Any time", for why it is closed and what its class promises.
 * @param lookedUp keys of which the nodes' histories have all that happened since their branches were prepared
 */
export function cutAtTime(
  momentUs: number,
  nodes: readonly TimeCutNode[],
  matchers: readonly BranchMatcher[],
  lookedUp: ReadonlySet<string> = new Set(),
): TimeCut {
  const cut = computeCut(
    nodes.map(({ scan, readLsn, endPosition }) => ({
      node: scan.node,
      wishLsn: scan.later?.lsn ?? readLsn,
      wishPosition:
        scan.later === null ? endPosition : { targetLsn: scan.later.previousLsn, walEndLsn: scan.later.lsn },
      decidedByLsn: readLsn,
      readLsn,
      ...scan.history.forCut(),
    })),
    matchers,
    new Map(nodes.map(({ scan, clock, readLsn }) => [scan.node, BigInt(clock.offsetUs(Number(readLsn)))])),
  );
  const fromUs = nodes.reduce((latest, node) => Math.max(latest, node.fromUs ?? -Infinity), -Infinity);
  const doubtUs = Math.max(...nodes.map(({ scan }) => scan.doubtUs));
  // What the cut leaves out was inserted after this; so nothing that was not read can have to be left out with it.
  const reachUs = momentUs - doubtUs;
  if (reachUs < fromUs) return { kind: 'read-earlier', fromUs: reachUs };
  const knownFromUs = nodes.reduce((latest, node) => Math.max(latest, node.heldFromUs ?? -Infinity), fromUs);
  const unsettled = cut.inDoubt.flatMap((branch): UnsettledBranch[] => {
    const key = matchGid(branch, matchers)?.key;
    if (branch.decision === 'commit' || key === undefined || lookedUp.has(key)) return [];
    return knownFromUs === -Infinity || preparedUs(branch, nodes) >= knownFromUs ? [] : [{ branch, key }];
  });
  if (unsettled.length > 0) return { kind: 'look-up', unsettled };

  const isInstant = nodes.every(({ scan }) => !scan.straddled);
  return {
    kind: 'cut',
    cut,
    class:
      cut.atWish && isInstant
        ? { kind: 'causal' }
        : { kind: 'bounded', boundUs: Math.max(1, Math.ceil(isInstant ? leftOutUs(momentUs, nodes, cut) : doubtUs)) },
  };
}

/**
 * How long before the moment something was inserted, at most, that the cut leaves out, by the nodes' readings alone. A commit whose PREPARE
 * comes after the moment does not happen, unless a clock or a GID misled.
 */
function leftOutUs(momentUs: number, nodes: readonly TimeCutNode[], cut: Cut): number {
  return Math.max(
    ...nodes.map(({ clock }, index) => {
      const afterUs = clock.insertedAfterUs(Number(cut.nodes[index]?.limitLsn ?? 0));
      return Number.isFinite(afterUs) ? momentUs - afterUs : momentUs;
    }),
  );
}

/** When it was prepared, at the earliest; -Infinity if that was not read. */
function preparedUs(branch: InDoubtDecision, nodes: readonly TimeCutNode[]): number {
  const node = nodes.find(({ scan }) => scan.node === branch.node);
  if (node === undefined || branch.prepareLsn < node.beganLsn) return -Infinity;
  return node.clock.span(Number(branch.prepareLsn), Number(branch.preparedAtUs)).earliestUs;
}
