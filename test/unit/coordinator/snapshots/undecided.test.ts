import assert from 'node:assert/strict';
import { findUndecided } from '../../../../coordinator/snapshots/undecided.ts';
import type { Branch } from '../../../../shared/cuts/branch.ts';
import { sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { InDoubtDecision } from '../../../../shared/repository/snapshot-manifest.ts';

function branch(node: string, gid: string, more: Partial<Branch> = {}): Branch {
  return {
    node,
    timeline: 1,
    xid: 7,
    gid,
    databaseOid: 5,
    prepareLsn: lsn(100n),
    preparedAtUs: 1n,
    seeded: false,
    preparedAfterBarrier: 0,
    endedBeforeBarrier: Infinity,
    end: null,
    lost: false,
    decidedCommit: false,
    ...more,
  };
}

function doubt(decision: 'commit' | 'rollback'): InDoubtDecision {
  return { node: 'b', gid: 'g', xid: 7, databaseOid: 5, prepareLsn: lsn(100n), preparedAtUs: 1n, decision };
}

function undecided(
  own: Branch,
  others: readonly Branch[],
  gap: number | null,
  decision: 'commit' | 'rollback',
): number {
  const nodes = [
    { node: 'a', gapBeforeBarrier: gap, branches: others },
    { node: 'b', gapBeforeBarrier: null, branches: [own] },
  ];
  return findUndecided([doubt(decision)], nodes, [sameGidMatcher]).length;
}

describe('a branch that nobody can decide over', () => {
  const own = branch('b', 'g');

  it('is one that was prepared before a gap in another node’s WAL had ended', () => {
    assert.equal(undecided(own, [], Infinity, 'rollback'), 1);
    assert.equal(undecided(own, [branch('a', 'another')], 4, 'rollback'), 1);
    assert.equal(undecided(branch('b', 'g', { preparedAfterBarrier: 3 }), [], 4, 'rollback'), 1);
    const end = { kind: 'commit' as const, lsn: lsn(900n), previousLsn: lsn(800n), timeUs: 2n };
    assert.equal(undecided(branch('b', 'g', { end }), [], 4, 'rollback'), 1, 'committed behind the cut');
  });

  it('is none without a gap, with a commit, after the gap, or with its other part open or rolled back', () => {
    assert.equal(undecided(own, [], null, 'rollback'), 0);
    assert.equal(undecided(own, [], Infinity, 'commit'), 0);
    assert.equal(undecided(branch('b', 'g', { preparedAfterBarrier: 4 }), [], 4, 'rollback'), 0);
    assert.equal(undecided(own, [branch('a', 'g', { xid: 9 })], Infinity, 'rollback'), 0);
    const end = { kind: 'rollback' as const, lsn: lsn(900n), previousLsn: lsn(800n), timeUs: 2n };
    assert.equal(undecided(branch('b', 'g', { end }), [], Infinity, 'rollback'), 0);
  });
});
