import type { BrokenTransaction, BrokenBranchState, InDoubtDecision } from '../repository/snapshot-manifest.ts';
import type { Branch, OrphanCommit } from './branch.ts';
import { isCommitted, isEnded, isPrepared, type CutLimits } from './closed-cut.ts';
import type { DistributedTransaction } from './distributed-transaction.ts';

/**
 * How a restore finishes every branch that is prepared and unfinished at the cut: as its transaction was finished, which is
 * committed if and only if a commit of one of its branches is in the cut (or was in an earlier snapshot's).
 */
export function resolveInDoubt(transactions: readonly DistributedTransaction[], limits: CutLimits): InDoubtDecision[] {
  const decisions: InDoubtDecision[] = [];
  for (const { branches } of transactions) {
    const committed = branches.some((branch) => branch.decidedCommit || isCommitted(branch, limits));
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

/** Transactions that can never be whole, judged by everything that was read. */
export function findBroken(
  transactions: readonly DistributedTransaction[],
  orphans: readonly OrphanCommit[],
): BrokenTransaction[] {
  const broken: BrokenTransaction[] = [];
  for (const { branches } of transactions) {
    const reason = brokenReason(branches);
    if (reason !== null) {
      broken.push({
        gid: branches[0]?.gid ?? '',
        reason,
        branches: branches.map((branch) => ({ node: branch.node, xid: branch.xid, state: stateOf(branch) })),
      });
    }
  }
  for (const orphan of orphans) {
    broken.push({
      gid: orphan.gid ?? '',
      reason: `a branch was committed on ${orphan.node} whose PREPARE was never seen`,
      branches: [{ node: orphan.node, xid: orphan.xid, state: 'commit' }],
    });
  }
  return broken;
}

function brokenReason(branches: readonly Branch[]): string | null {
  const committed = branches.find((branch) => !branch.lost && (branch.end?.kind === 'commit' || branch.decidedCommit));
  if (committed === undefined) {
    return null;
  }
  const rolledBack = branches.find((branch) => !branch.lost && branch.end?.kind === 'rollback');
  if (rolledBack !== undefined) {
    return `committed on ${committed.node} and rolled back on ${rolledBack.node}`;
  }
  const lost = branches.find((branch) => branch.lost);
  return lost === undefined
    ? null
    : `committed on ${committed.node}, and its branch on ${lost.node} was lost by a failover`;
}

function stateOf(branch: Branch): BrokenBranchState {
  return branch.lost ? 'lost' : (branch.end?.kind ?? 'open');
}
