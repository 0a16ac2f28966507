import { assert } from '../errors/assert.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import type { BrokenTransaction, InDoubtDecision } from '../repository/snapshot-manifest.ts';
import type { Branch, OrphanCommit } from './branch.ts';
import type { BranchMatcher } from './branch-matcher.ts';
import { closureViolations, greatestClosedCut, isEnded } from './closed-cut.ts';
import { groupBranches, type ClockCorrections } from './distributed-transaction.ts';
import { findBroken, resolveInDoubt } from './resolution.ts';

/** A position in a node's WAL as a recovery needs it. */
export interface RecordPosition {
  /** Start of the last record included. */
  readonly targetLsn: Lsn;
  /** One past the last byte of WAL that recovery reads to stop there. */
  readonly walEndLsn: Lsn;
}

/** What the engine is given of one node. */
export interface CutNode {
  readonly node: string;
  /** What starts at or after it must not be in the cut. */
  readonly wishLsn: Lsn;
  /** The position that stands for the wish: before the first transaction event at or after it, else the last record read. */
  readonly wishPosition: RecordPosition;
  /** Sampled after everything that starts below the wishes was written, on whatever node. */
  readonly decidedByLsn: Lsn;
  /** The WAL was read up to here. */
  readonly readLsn: Lsn;
  /** Every branch that is not known to be finished together with its whole transaction below an earlier closed cut. */
  readonly branches: readonly Branch[];
  readonly orphans: readonly OrphanCommit[];
}

/** One node's place in a closed cut. */
export interface CutNodePosition extends RecordPosition {
  readonly node: string;
  /** Everything that starts below it is in the cut, and nothing that starts at or after it. */
  readonly limitLsn: Lsn;
}

export interface Cut {
  readonly nodes: readonly CutNodePosition[];
  /** True if the wish was closed: nothing had to be left out. */
  readonly atWish: boolean;
  readonly inDoubt: readonly InDoubtDecision[];
  readonly broken: readonly BrokenTransaction[];
  /** Branches whose transactions are finished as a whole in this cut: no later cut asks for them. */
  readonly settled: ReadonlySet<Branch>;
}

/**
 * The greatest closed cut below a wish, with everything that a restore to it has to decide.
 * @throws TidemarkError TM-SNAP-002 if it is not decidable yet: a node was not read far enough (R3)
 */
export function computeCut(
  nodes: readonly CutNode[],
  matchers: readonly BranchMatcher[],
  corrections: ClockCorrections = new Map(),
): Cut {
  for (const node of nodes) {
    if (node.readLsn < node.decidedByLsn || node.decidedByLsn < node.wishLsn) {
      throw new TidemarkError(
        'TM-SNAP-002',
        `node ${node.node} was read up to ${formatLsn(node.readLsn)}, and a cut at ${formatLsn(node.wishLsn)} needs ${formatLsn(node.decidedByLsn)}`,
      );
    }
  }
  const transactions = groupBranches(
    nodes.flatMap((node) => node.branches),
    matchers,
    corrections,
  );
  const limits = greatestClosedCut(transactions, new Map(nodes.map((node) => [node.node, node.wishLsn])));
  assert(closureViolations(transactions, limits).length === 0, 'a computed cut is closed');
  const positions = nodes.map((node) => positionOf(node, limits.get(node.node) ?? node.wishLsn));
  return {
    nodes: positions,
    atWish: nodes.every((node) => limits.get(node.node) === node.wishLsn),
    inDoubt: resolveInDoubt(transactions, limits),
    broken: findBroken(
      transactions,
      nodes.flatMap((node) => node.orphans),
    ),
    settled: new Set(
      transactions
        .filter(({ branches }) => branches.every((branch) => branch.lost || isEnded(branch, limits)))
        .flatMap(({ branches }) => branches),
    ),
  };
}

function positionOf(node: CutNode, limitLsn: Lsn): CutNodePosition {
  if (limitLsn === node.wishLsn) {
    return { node: node.node, limitLsn, ...node.wishPosition };
  }
  // A limit below the wish is where a branch's commit starts.
  const end = node.branches.find((branch) => !branch.lost && branch.end?.lsn === limitLsn)?.end;
  assert(end !== undefined && end !== null, 'a cut is shrunk to the start of a commit');
  return { node: node.node, limitLsn, targetLsn: end.previousLsn, walEndLsn: limitLsn };
}
