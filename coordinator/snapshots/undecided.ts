import { matchGid, type BranchMatcher } from '../../shared/cuts/branch-matcher.ts';
import type { Branch } from '../../shared/cuts/branch.ts';
import type { BrokenTransaction, InDoubtDecision } from '../../shared/repository/snapshot-manifest.ts';

/** A node as far as this is asked. */
interface ReadNode {
  readonly node: string;
  /** WAL of it is missing; it ended before this barrier (infinite: before the next). Null if none was passed over. */
  readonly gapBeforeBarrier?: number | null;
  readonly branches: readonly Branch[];
}

/**
 * The branches that a cut would roll back, though nobody can know it: their transaction may have been committed on a node in WAL that is missing
 * there. Not among them: those that were rolled back later, those that were prepared after the gap had ended, and those whose part on that
 * node is open still.
 */
export function findUndecided(
  inDoubt: readonly InDoubtDecision[],
  nodes: readonly ReadNode[],
  matchers: readonly BranchMatcher[],
): BrokenTransaction[] {
  const branches = nodes.flatMap((known) => known.branches.map((branch) => ({ ...branch, node: known.node })));
  return inDoubt.flatMap((doubt): BrokenTransaction[] => {
    if (doubt.decision === 'commit') return [];
    const match = matchGid(doubt, matchers);
    const own = branches.find(
      ({ node, xid, prepareLsn }) => node === doubt.node && xid === doubt.xid && prepareLsn === doubt.prepareLsn,
    );
    if (own?.end?.kind === 'rollback') return [];
    const gap = nodes.find(({ node, gapBeforeBarrier = null }) => {
      if (gapBeforeBarrier === null || node === doubt.node) return false;
      if (own !== undefined && own.preparedAfterBarrier >= gapBeforeBarrier) return false;
      const isOpenThere = branches.some(
        (branch) =>
          branch.node === node &&
          branch.end === null &&
          !branch.lost &&
          match !== null &&
          matchGid(branch, matchers)?.key === match.key,
      );
      return match?.matcher.decidedByRows === true || !isOpenThere;
    });
    if (gap === undefined) return [];
    return [
      {
        kind: 'unknown',
        gid: doubt.gid,
        reason: `prepared on ${doubt.node}; whether it was committed on ${gap.node} cannot be known: WAL of ${gap.node} is missing`,
        branches: [{ node: doubt.node, xid: doubt.xid, state: 'open' }],
      },
    ];
  });
}
