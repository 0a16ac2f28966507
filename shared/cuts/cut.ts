import { assert } from '../errors/assert.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { parseCitusGid } from '../postgres/citus-gid.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import type { BrokenTransaction, InDoubtDecision } from '../repository/snapshot-manifest.ts';
import type { Branch, OrphanCommit } from './branch.ts';
import type { BranchMatcher } from './branch-matcher.ts';
import { closureViolations, greatestClosedCut, isCommitted, isDecided, isEnded, type CutLimits } from './closed-cut.ts';
import type { Decision, OpenDecision } from './decision.ts';
import { groupBranches, type ClockCorrections, type DistributedTransaction } from './distributed-transaction.ts';
import { findBroken, resolveInDoubt, type DecisionSought } from './resolution.ts';

/**
 * So many committed branches are kept although they are finished, because the node that may have decided over them did not answer: their
 * decision is looked for when it does. Of more it is not told if it was lost.
 */
const AWAITING_DECISION_MAX = 10_000;

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
  /** Decisions of transactions that are not known to be finished; left out: there are none. */
  readonly decisions?: readonly Decision[];
  /** Rows of transactions that have not committed before the given position. */
  readonly openDecisions?: (limitLsn: Lsn) => readonly OpenDecision[];
  /** Citus's groups whose transactions are begun on this node. */
  readonly originates?: ReadonlySet<string>;
  /** WAL of it is missing; it ended before this barrier (infinite: before the next). Null if none was passed over. */
  readonly gapBeforeBarrier?: number | null;
  /** It did not answer: what it wrote after `readLsn`, before the others were sampled, is not known. */
  readonly silent?: boolean;
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
  /** Branches and decisions whose transactions are finished as a whole in this cut: no later cut asks for them. */
  readonly settled: ReadonlySet<Branch | Decision>;
  /** Rows in the cut whose transactions are not finished in it: where reading goes on from this cut, they have to be known. */
  readonly openDecisions: readonly OpenDecision[];
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
    nodes.flatMap((node) => node.decisions ?? []),
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
      decisionSoughtIn(nodes, limits),
    ),
    settled: settledIn(nodes, transactions, limits),
    openDecisions: positions.flatMap(({ limitLsn }, index) => nodes[index]?.openDecisions?.(limitLsn) ?? []),
  };
}

function settledIn(
  nodes: readonly CutNode[],
  transactions: readonly DistributedTransaction[],
  limits: CutLimits,
): Set<Branch | Decision> {
  const settled = new Set<Branch | Decision>();
  const open = new Set<Decision>();
  let awaiting = 0;
  for (const transaction of transactions) {
    const { branches, decision } = transaction;
    const decided = decision === null || isDecided(decision, limits);
    if (isDecisionAwaited(transaction, nodes, limits) && awaiting < AWAITING_DECISION_MAX) {
      awaiting += branches.length;
    } else if (decided && branches.every((branch) => branch.lost || isEnded(branch, limits))) {
      for (const branch of branches) {
        settled.add(branch);
      }
    } else if (decision !== null) {
      open.add(decision);
    }
  }
  // One that no matcher asks for has no transaction here.
  for (const decision of nodes.flatMap((node) => node.decisions ?? [])) {
    if (!open.has(decision) && isDecided(decision, limits)) {
      settled.add(decision);
    }
  }
  return settled;
}

/** Whether a decision is missing that a node may have made which does not answer. */
function isDecisionAwaited(
  { branches, decision, decidedByRows }: DistributedTransaction,
  nodes: readonly CutNode[],
  limits: CutLimits,
): boolean {
  if (!decidedByRows || decision !== null || !nodes.some(({ silent }) => silent === true)) return false;
  const commit = branches.find((branch) => isCommitted(branch, limits));
  const group = commit === undefined ? undefined : parseCitusGid(commit.gid)?.originatorGroup;
  if (group === undefined) return false;
  const originators = nodes.filter((node) => node.originates?.has(group) === true);
  return originators.length === 0 || originators.some(({ silent }) => silent === true);
}

/**
 * A COMMIT PREPARED in the cut follows its decision in real time, so that every node's WAL up to `decidedByLsn` holds the
 * decision, unless it was lost. It is missed for another reason where its node is not known or did not answer, where WAL of
 * that node is missing, or where the branch was prepared before a first collect was complete: then the rows may lie before what was read.
 */
function decisionSoughtIn(nodes: readonly CutNode[], limits: CutLimits): DecisionSought {
  return (branch) => {
    const group = parseCitusGid(branch.gid)?.originatorGroup;
    if (
      group === undefined ||
      (branch.preparedAfterBarrier === 0 && branch.carried !== true) ||
      !isCommitted(branch, limits)
    ) {
      return null;
    }
    const originators = nodes.filter((node) => node.originates?.has(group) === true);
    const isUnknown = ({ silent, gapBeforeBarrier }: CutNode) =>
      silent === true || (gapBeforeBarrier ?? 0) > branch.preparedAfterBarrier;
    return originators.some(isUnknown) ? null : originators.map(({ node }) => node).join(' and ') || null;
  };
}

function positionOf(node: CutNode, limitLsn: Lsn): CutNodePosition {
  if (limitLsn === node.wishLsn) {
    return { node: node.node, limitLsn, ...node.wishPosition };
  }
  // A limit below the wish is where a branch's commit or a decision starts.
  const end =
    node.branches.find((branch) => !branch.lost && branch.end?.lsn === limitLsn)?.end ??
    node.decisions?.find((decision) => decision.lsn === limitLsn);
  assert(end !== undefined, 'a cut is shrunk to the start of a commit');
  return { node: node.node, limitLsn, targetLsn: end.previousLsn, walEndLsn: limitLsn };
}
