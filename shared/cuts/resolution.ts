import type {
  BrokenBranchState,
  BrokenKind,
  BrokenTransaction,
  InDoubtDecision,
} from '../repository/snapshot-manifest.ts';
import type { Branch, OrphanCommit } from './branch.ts';
import { isCommitted, isDecided, isEnded, isPrepared, type CutLimits } from './closed-cut.ts';
import type { DistributedTransaction } from './distributed-transaction.ts';

/**
 * How a restore finishes every branch that is prepared and unfinished at the cut: as its transaction was finished, which is
 * committed if and only if its decision or a commit of one of its branches is in the cut (or was in an earlier snapshot's).
 */
export function resolveInDoubt(transactions: readonly DistributedTransaction[], limits: CutLimits): InDoubtDecision[] {
  const decisions: InDoubtDecision[] = [];
  for (const { branches, decision } of transactions) {
    const committed =
      (decision !== null && isDecided(decision, limits)) ||
      branches.some((branch) => branch.decidedCommit || isCommitted(branch, limits));
    for (const branch of branches) {
      if (isPrepared(branch, limits) && !isEnded(branch, limits)) {
        decisions.push({
          node: branch.node,
          gid: branch.gid,
          xid: branch.xid,
          databaseOid: branch.databaseOid,
          prepareLsn: branch.prepareLsn,
          preparedAtUs: branch.preparedAtUs,
          decision: committed ? 'commit' : 'rollback',
        });
      }
    }
  }
  return decisions.sort((a, b) =>
    a.node === b.node ? (a.prepareLsn < b.prepareLsn ? -1 : 1) : a.node < b.node ? -1 : 1,
  );
}

/** Says where the decision of a committed branch would have been found, if there had been one; null if it may be unknown for another reason. */
export type DecisionSought = (branch: Branch) => string | null;

/** Transactions that can never be whole, judged by everything that was read. */
export function findBroken(
  transactions: readonly DistributedTransaction[],
  orphans: readonly OrphanCommit[],
  decisionSought: DecisionSought,
): BrokenTransaction[] {
  const broken: BrokenTransaction[] = [];
  for (const transaction of transactions) {
    const { branches } = transaction;
    const reasons = brokenReasons(transaction, decisionSought);
    const [first] = reasons;
    if (first !== undefined) {
      broken.push({
        kind: first.kind,
        gid: branches[0]?.gid ?? '',
        reason: reasons.map(({ text }) => text).join(', and '),
        branches: branches.map((branch) => ({ node: branch.node, xid: branch.xid, state: stateOf(branch) })),
      });
    }
  }
  for (const orphan of orphans) {
    broken.push({
      kind: 'prepare-missing',
      gid: orphan.gid ?? '',
      reason: `a branch was committed on ${orphan.node} whose PREPARE was never seen`,
      branches: [{ node: orphan.node, xid: orphan.xid, state: 'commit' }],
    });
  }
  return broken;
}

interface BrokenReason {
  readonly kind: BrokenKind;
  readonly text: string;
}

/** The worst comes first. */
function brokenReasons(
  { branches, decision, decidedByRows }: DistributedTransaction,
  decisionSought: DecisionSought,
): BrokenReason[] {
  const commits = branches.filter(({ lost, end, decidedCommit }) => !lost && (end?.kind === 'commit' || decidedCommit));
  const rolledBack = branches.find((branch) => !branch.lost && branch.end?.kind === 'rollback');
  const lost = branches.find((branch) => branch.lost);
  const where = commits[0]?.node ?? decision?.node;
  if (where === undefined) {
    return [];
  }
  const reasons: BrokenReason[] = [];
  if (rolledBack !== undefined) {
    const how = commits.length > 0 ? 'committed' : 'decided';
    reasons.push({ kind: 'torn', text: `${how} on ${where} and rolled back on ${rolledBack.node}` });
  } else if (lost !== undefined) {
    const text = `committed on ${where}, and its branch on ${lost.node} was lost by a failover`;
    reasons.push({ kind: 'branch-lost', text });
  }
  const undecided =
    decidedByRows && decision === null && commits.every(({ decidedCommit }) => !decidedCommit)
      ? commits.map(decisionSought).find((node) => node !== null)
      : undefined;
  if (undecided !== undefined) {
    const at = reasons.length === 0 ? `committed on ${where}, and ` : '';
    const text = `${at}its decision is not in the WAL of ${undecided}: a crash lost it`;
    reasons.push({ kind: 'decision-lost', text });
  }
  return reasons;
}

function stateOf(branch: Branch): BrokenBranchState {
  return branch.lost ? 'lost' : (branch.end?.kind ?? 'open');
}
