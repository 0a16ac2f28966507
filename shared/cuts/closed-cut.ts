import type { Lsn } from '../postgres/lsn.ts';
import type { Branch } from './branch.ts';
import type { Decision } from './decision.ts';
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

/** Whether the decision is in the cut. */
export function isDecided(decision: Decision, limits: CutLimits): boolean {
  const limit = limits.get(decision.node);
  return limit !== undefined && decision.lsn < limit;
}

/** Whether the closure rule speaks of the branch at all: it is of a node of the cut, and on the history that is restored. */
function counts(branch: Branch, limits: CutLimits): boolean {
  return !branch.lost && limits.has(branch.node);
}

/**
 * The greatest closed cut at or below a wish. A cut is closed if for every transaction that has a COMMIT PREPARED in it, every
 * PREPARE is in it, and the decision, if the transaction has one; and for every decision in it, every PREPARE. A decision that is not known
 * asks for nothing: what was read far enough (R3) and shows none has none, since a crash lost it.
 *
 * Closed cuts form a lattice (the union of two is closed), so there is one greatest. A PREPARE outside of the cut
 * forces the decision and the commits of its transaction out, a decision outside the commits, each with everything after it on its node,
 * which can put further PREPAREs and decisions outside. Each is put outside once, so this ends after as many steps as there
 * are branches and decisions.
 */
export function greatestClosedCut(transactions: readonly DistributedTransaction[], wish: CutLimits): Map<string, Lsn> {
  const limits = new Map(wish);
  const needs = needsInside(transactions, limits);
  // A set's iteration also visits what is added to it meanwhile.
  const lowered = new Set(limits.keys());
  const lower = (node: string, to: Lsn) => {
    limits.set(node, to);
    lowered.add(node);
  };
  for (const node of lowered) {
    lowered.delete(node);
    const stack = needs.get(node) ?? [];
    for (let last = stack.at(-1); last !== undefined && !isInside(last, limits); last = stack.at(-1)) {
      stack.pop();
      const { branches, decision } = last.transaction;
      if (decision !== null && isDecided(decision, limits)) {
        lower(decision.node, decision.lsn);
      }
      for (const mate of branches) {
        if (mate.end !== null && isCommitted(mate, limits)) {
          lower(mate.node, mate.end.lsn);
        }
      }
    }
  }
  return limits;
}

/** What a transaction's commits need: a PREPARE or the decision. */
interface Need {
  readonly lsn: Lsn;
  /** Null: the decision. */
  readonly branch: Branch | null;
  readonly transaction: DistributedTransaction;
}

function isInside({ lsn, branch, transaction }: Need, limits: CutLimits): boolean {
  const node = branch?.node ?? transaction.decision?.node;
  const limit = node === undefined ? undefined : limits.get(node);
  return limit !== undefined && lsn < limit;
}

/** For each node what could be put outside, the last one at the end. */
function needsInside(transactions: readonly DistributedTransaction[], limits: CutLimits): Map<string, Need[]> {
  const needs = new Map<string, Need[]>();
  const add = (node: string, need: Need) => {
    const known = needs.get(node);
    if (known === undefined) {
      needs.set(node, [need]);
    } else {
      known.push(need);
    }
  };
  for (const transaction of transactions) {
    const { branches, decision } = transaction;
    if (branches.length + (decision === null ? 0 : 1) === 1) {
      continue;
    }
    for (const branch of branches) {
      if (counts(branch, limits) && !branch.seeded) {
        add(branch.node, { lsn: branch.prepareLsn, branch, transaction });
      }
    }
    if (decision !== null && limits.has(decision.node)) {
      add(decision.node, { lsn: decision.lsn, branch: null, transaction });
    }
  }
  for (const known of needs.values()) {
    known.sort((a, b) => (a.lsn < b.lsn ? -1 : 1));
  }
  return needs;
}

/** What is in the cut although something that it needs is not. */
export interface ClosureViolation {
  readonly committed: Branch | Decision;
  readonly missing: Branch | Decision;
}

/** Everything that keeps a cut from being closed; empty if it is closed. */
export function closureViolations(
  transactions: readonly DistributedTransaction[],
  limits: CutLimits,
): ClosureViolation[] {
  const violations: ClosureViolation[] = [];
  for (const { branches, decision } of transactions) {
    const commit = branches.find((branch) => isCommitted(branch, limits));
    const decided = decision !== null && isDecided(decision, limits);
    const committed = commit ?? (decided ? decision : undefined);
    if (committed === undefined) {
      continue;
    }
    if (decision !== null && !decided && limits.has(decision.node)) {
      violations.push({ committed, missing: decision });
    }
    for (const missing of branches) {
      if (counts(missing, limits) && !isPrepared(missing, limits)) {
        violations.push({ committed, missing });
      }
    }
  }
  return violations;
}
