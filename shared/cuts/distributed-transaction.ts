import type { Branch } from './branch.ts';
import { matchingKey, type BranchMatcher } from './branch-matcher.ts';

/** Branches that belong together. A node has several where their GIDs differ (Citus, XA). */
export interface DistributedTransaction {
  readonly branches: readonly Branch[];
}

/** What is added to a node's clock to make it the leader's, in microseconds; 0 for a node that is not named. */
export type ClockCorrections = ReadonlyMap<string, bigint>;

/**
 * Groups branches into transactions.
 *
 * The branches of a transaction that committed were all prepared at one instant: every PREPARE precedes every COMMIT
 * PREPARED. So branches of equal key are taken together unless that is impossible:
 * 1. a transaction has one branch of a GID on a node at most (PostgreSQL refuses a second open one);
 * 2. on one node, a branch that was committed before another was prepared is of another transaction;
 * 3. one that ended before a barrier and one that was prepared after it are of different transactions. This is exact and
 *    needs no clock, and it separates every reuse of a key over more than the time between two collects.
 *
 * Only where a GID was used twice on one node within that time, it is left open which uses go together. There the nodes'
 * clocks, corrected, decide: uses are taken in the order in which they were prepared, and one that was prepared after all of a
 * group had ended begins another. That is right as long as the clocks' error is smaller than the time for which
 * the key was free. Without such a reuse clocks are not looked at, whatever they show: a wrong clock must not tear a
 * transaction apart. The price: two transactions of one key on different nodes only, within that time, are taken for one.
 */
export function groupBranches(
  branches: Iterable<Branch>,
  matchers: readonly BranchMatcher[],
  corrections: ClockCorrections = new Map(),
): DistributedTransaction[] {
  const byKey = new Map<string, Branch[]>();
  for (const branch of branches) {
    const key = matchingKey(branch, matchers);
    const known = byKey.get(key);
    if (known === undefined) {
      byKey.set(key, [branch]);
    } else {
      known.push(branch);
    }
  }
  const transactions: DistributedTransaction[] = [];
  for (const uses of byKey.values()) {
    transactions.push(...(uses.length === 1 ? [{ branches: uses }] : groupUses(uses, corrections)));
  }
  return transactions;
}

function groupUses(uses: readonly Branch[], corrections: ClockCorrections): DistributedTransaction[] {
  const at = (branch: Branch, timeUs: bigint) => timeUs + (corrections.get(branch.node) ?? 0n);
  const reused = uses.some((use, index) =>
    uses.slice(0, index).some((other) => separatedByNode(use, other) && !separatedByBarrier(use, other)),
  );
  const ordered = [...uses].sort((a, b) => compare(at(a, a.preparedAtUs), at(b, b.preparedAtUs)));
  const groups: Branch[][] = [];
  for (const branch of ordered) {
    const preparedAtUs = at(branch, branch.preparedAtUs);
    const group = groups.findLast(
      (members) =>
        members.every((member) => !separatedByNode(member, branch) && !separatedByBarrier(member, branch)) &&
        !(reused && members.every((member) => member.end !== null && at(member, member.end.timeUs) < preparedAtUs)),
    );
    if (group === undefined) {
      groups.push([branch]);
    } else {
      group.push(branch);
    }
  }
  return groups.map((members) => ({ branches: members }));
}

function separatedByNode(a: Branch, b: Branch): boolean {
  return a.node === b.node && (a.gid === b.gid || committedBefore(a, b) || committedBefore(b, a));
}

function committedBefore(earlier: Branch, later: Branch): boolean {
  return earlier.end?.kind === 'commit' && !later.seeded && earlier.end.lsn < later.prepareLsn;
}

function separatedByBarrier(a: Branch, b: Branch): boolean {
  return a.endedBeforeBarrier <= b.preparedAfterBarrier || b.endedBeforeBarrier <= a.preparedAfterBarrier;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
