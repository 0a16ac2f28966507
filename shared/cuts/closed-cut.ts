import type { Lsn } from '../postgres/lsn.ts';
import type { Branch } from './branch.ts';
import type { DistributedTransaction } from './distributed-transaction.ts';

/** For each node the position below which (exclusive, by a record's start) everything is in the cut. */
export type CutLimits = ReadonlyMap<string, Lsn>;

/** Whether the branch's PREPARE is in the cut. */
export function isPrepared(branch: Branch, limits: CutLimits): boolean {
  const limit = limits.get(branch.node);
  return limit !== undefined && !branch.lost && (branch.seeded || branch.prepareLsn < limit);
}

/** Whether the branch's end is in the cut. */
export function isEnded(branch: Branch, limits: CutLimits): boolean {
  const limit = limits.get(branch.node);
  return limit !== undefined && !branch.lost && branch.end !== null && branch.end.lsn < limit;
}

/** Whether the branch's COMMIT PREPARED is in the cut. */
export function isCommitted(branch: Branch, limits: CutLimits): boolean {
  return branch.end?.kind === 'commit' && isEnded(branch, limits);
}

/** Whether the closure rule speaks of the branch at all: it is of a node of the cut, and on the history that is restored. */
function counts(branch: Branch, limits: CutLimits): boolean {
  return !branch.lost && limits.has(branch.node);
}

/**
 * The greatest closed cut at or below a wish: for every transaction, if a COMMIT PREPARED is in the cut, then every PREPARE is.
 *
 * Closed cuts form a lattice (the union of two is closed), so there is one greatest. A PREPARE outside of the cut
 * forces the commits of its transaction out, with everything after them on their nodes, which can put further PREPAREs
 * outside. Each PREPARE is put outside once, so this ends after as many steps as there are branches.
 */
export function greatestClosedCut(transactions: readonly DistributedTransaction[], wish: CutLimits): Map<string, Lsn> {
  const limits = new Map(wish);
  const inside = preparesInside(transactions, limits);
  // A set's iteration also visits what is added to it meanwhile.
  const lowered = new Set(limits.keys());
  for (const node of lowered) {
    lowered.delete(node);
    const stack = inside.get(node) ?? [];
    for (let last = stack.at(-1); last !== undefined && !isPrepared(last.branch, limits); last = stack.at(-1)) {
      stack.pop();
      for (const mate of last.transaction.branches) {
        if (mate.end !== null && isCommitted(mate, limits)) {
          limits.set(mate.node, mate.end.lsn);
          lowered.add(mate.node);
        }
      }
    }
  }
  return limits;
}

interface Prepare {
  readonly branch: Branch;
  readonly transaction: DistributedTransaction;
}

/** For each node the PREPAREs that could be put outside, the last one at the end. */
function preparesInside(transactions: readonly DistributedTransaction[], limits: CutLimits): Map<string, Prepare[]> {
  const prepares = new Map<string, Prepare[]>();
  for (const transaction of transactions) {
    for (const branch of transaction.branches) {
      if (!counts(branch, limits) || branch.seeded || transaction.branches.length === 1) {
        continue;
      }
      const known = prepares.get(branch.node);
      if (known === undefined) {
        prepares.set(branch.node, [{ branch, transaction }]);
      } else {
        known.push({ branch, transaction });
      }
    }
  }
  for (const known of prepares.values()) {
    known.sort((a, b) => (a.branch.prepareLsn < b.branch.prepareLsn ? -1 : 1));
  }
  return prepares;
}

/** A commit in the cut whose transaction has a PREPARE outside of it. */
export interface ClosureViolation {
  readonly committed: Branch;
  readonly missing: Branch;
}

/** Everything that keeps a cut from being closed; empty if it is closed. */
export function closureViolations(
  transactions: readonly DistributedTransaction[],
  limits: CutLimits,
): ClosureViolation[] {
  return transactions.flatMap(({ branches }) => {
    const committed = branches.find((branch) => isCommitted(branch, limits));
    return committed === undefined
      ? []
      : branches
          .filter((branch) => counts(branch, limits) && !isPrepared(branch, limits))
          .map((missing) => ({ committed, missing }));
  });
}
