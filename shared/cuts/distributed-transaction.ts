import type { Branch } from './branch.ts';
import { matchGid, type BranchMatcher } from './branch-matcher.ts';
import type { Decision } from './decision.ts';

/** Branches that belong together. A node has several where their GIDs differ (Citus, XA). */
export interface DistributedTransaction {
  readonly branches: readonly Branch[];
  /** The commit that decides over them; null if none is known. One decision may decide over several transactions. */
  readonly decision: Decision | null;
  /** Without a decision it is not committed: see `BranchMatcher.decidedByRows`. */
  readonly decidedByRows: boolean;
}

/** What is added to a node's clock to make it the leader's, in microseconds; 0 for a node that is not named. */
export type ClockCorrections = ReadonlyMap<string, bigint>;

/** What has one key. */
interface Uses {
  readonly decidedByRows: boolean;
  readonly branches: Branch[];
  readonly decisions: Set<Decision>;
}

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
 *
 * Where rows decide, a decision names its branches' GIDs one by one, each the GID of one branch, and what it does not name is not of its
 * transaction. The same rules say which use of a GID it can mean; among several the clocks decide, by what was prepared before
 * and ended after the decision, or most nearly so. Branches without a decision are grouped as above.
 */
export function groupBranches(
  branches: Iterable<Branch>,
  matchers: readonly BranchMatcher[],
  corrections: ClockCorrections = new Map(),
  decisions: Iterable<Decision> = [],
): DistributedTransaction[] {
  const byKey = new Map<string, Uses>();
  const usesOf = (key: string, decidedByRows: boolean): Uses => {
    const known = byKey.get(key);
    if (known !== undefined) {
      return known;
    }
    const uses = { decidedByRows, branches: [], decisions: new Set<Decision>() };
    byKey.set(key, uses);
    return uses;
  };
  for (const branch of branches) {
    const match = matchGid(branch, matchers);
    const key = match?.key ?? `alone:${branch.node}:${branch.gid}`;
    usesOf(key, match?.matcher.decidedByRows === true).branches.push(branch);
  }
  for (const decision of decisions) {
    for (const row of decision.rows) {
      const match = matchGid(row, matchers);
      if (match?.matcher.decidedByRows === true) {
        usesOf(match.key, true).decisions.add(decision);
      }
    }
  }
  const clock: CorrectedClock = (node, timeUs) => timeUs + (corrections.get(node) ?? 0n);
  return [...byKey.values()].flatMap((uses) => {
    const { decidedByRows } = uses;
    const { decided, others } = joinDecisions(uses, clock);
    const undecided = others.length <= 1 ? others.map((branch) => [branch]) : groupUses(others, clock);
    return [...decided, ...undecided.map((members) => ({ branches: members, decision: null, decidedByRows }))];
  });
}

type CorrectedClock = (node: string, timeUs: bigint) => bigint;

function groupUses(uses: readonly Branch[], clock: CorrectedClock): Branch[][] {
  const reused = isReused(uses);
  const ordered = [...uses].sort((a, b) => compare(clock(a.node, a.preparedAtUs), clock(b.node, b.preparedAtUs)));
  const groups: Branch[][] = [];
  // What is over for one use is over for those after it, so a key that is used again and again costs a look at each use.
  let running: Branch[][] = groups;
  for (const branch of ordered) {
    const preparedAtUs = clock(branch.node, branch.preparedAtUs);
    if (reused) {
      running = running.filter(
        (members) =>
          !members.every((member) => member.end !== null && clock(member.node, member.end.timeUs) < preparedAtUs),
      );
    }
    const group = running.findLast((members) =>
      members.every((member) => !separatedByNode(member, branch) && !separatedByBarrier(member, branch)),
    );
    if (group === undefined) {
      const begun = [branch];
      groups.push(begun);
      if (running !== groups) running.push(begun);
    } else {
      group.push(branch);
    }
  }
  return groups;
}

/** Whether two uses on one node are of different transactions and no barrier says which came first. */
function isReused(uses: readonly Branch[]): boolean {
  for (const [index, use] of uses.entries()) {
    for (let other = index - 1; other >= 0; other--) {
      const earlier = uses[other] as Branch;
      if (separatedByNode(use, earlier) && !separatedByBarrier(use, earlier)) return true;
    }
  }
  return false;
}

interface Pair {
  readonly decision: Decision;
  readonly branch: Branch;
  /** By how much the decision's time lies outside of the branch's. */
  readonly missUs: bigint;
}

/** Gives each decision the branches that it names. */
function joinDecisions(
  { branches, decisions }: Uses,
  clock: CorrectedClock,
): { readonly decided: readonly DistributedTransaction[]; readonly others: readonly Branch[] } {
  if (decisions.size === 0) {
    return { decided: [], others: branches };
  }
  const pairs: Pair[] = [];
  for (const decision of decisions) {
    const gids = new Set(decision.rows.map(({ gid }) => gid));
    const named = branches.filter((branch) => gids.has(branch.gid) && !isApart(decision, branch));
    pairs.push(...named.map((branch) => ({ decision, branch, missUs: missUs(decision, branch, clock) })));
  }
  // An earlier use is open beside a later one only where a failover took its end back.
  pairs.sort((a, b) => compare(a.missUs, b.missUs) || compare(b.branch.preparedAtUs, a.branch.preparedAtUs));
  const members = new Map([...decisions].map((decision) => [decision, new Map<string, Branch>()]));
  const joined = new Set<Branch>();
  for (const { decision, branch } of pairs) {
    const own = members.get(decision);
    if (own !== undefined && !own.has(branch.gid) && !joined.has(branch)) {
      own.set(branch.gid, branch);
      joined.add(branch);
    }
  }
  return {
    decided: [...members].map(([decision, own]) => ({ branches: [...own.values()], decision, decidedByRows: true })),
    others: branches.filter((branch) => !joined.has(branch)),
  };
}

function missUs(decision: Decision, branch: Branch, clock: CorrectedClock): bigint {
  const decidedAtUs = clock(decision.node, decision.timeUs);
  const preparedAtUs = clock(branch.node, branch.preparedAtUs);
  if (decidedAtUs < preparedAtUs) {
    return preparedAtUs - decidedAtUs;
  }
  const endedAtUs = branch.end === null ? decidedAtUs : clock(branch.node, branch.end.timeUs);
  return decidedAtUs > endedAtUs ? decidedAtUs - endedAtUs : 0n;
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

/** Whether the branch was prepared after the decision, or had ended before it. */
function isApart(decision: Decision, branch: Branch): boolean {
  const onOneNode =
    decision.node === branch.node &&
    ((!branch.seeded && branch.prepareLsn > decision.lsn) || (branch.end !== null && branch.end.lsn < decision.lsn));
  return (
    onOneNode ||
    branch.endedBeforeBarrier <= decision.madeAfterBarrier ||
    decision.madeBeforeBarrier <= branch.preparedAfterBarrier
  );
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
