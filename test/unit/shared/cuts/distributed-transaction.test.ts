import assert from 'node:assert/strict';
import type { Branch } from '../../../../shared/cuts/branch.ts';
import { sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { groupBranches, type ClockCorrections } from '../../../../shared/cuts/distributed-transaction.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';

const MILLISECOND_US = 1000n;

/** The `number`th use of a GID on a node: prepared and committed within half a millisecond, one each millisecond. */
function use(node: string, number: number): Branch {
  const preparedAtUs = BigInt(number) * MILLISECOND_US;
  const prepareLsn = lsn(BigInt(1000 * (number + 1)));
  return {
    node,
    timeline: 1,
    xid: number + 3,
    gid: 'the connection’s own',
    databaseOid: 5,
    prepareLsn,
    preparedAtUs,
    seeded: false,
    preparedAfterBarrier: 0,
    endedBeforeBarrier: Infinity,
    end: { kind: 'commit', lsn: lsn(prepareLsn + 500n), previousLsn: prepareLsn, timeUs: preparedAtUs + 500n },
    lost: false,
    decidedCommit: false,
  };
}

/** No correction for any node; counts how often it is asked. */
class CountedCorrections extends Map<string, bigint> {
  asked = 0;

  override get(node: string): bigint | undefined {
    this.asked += 1;
    return super.get(node);
  }
}

describe('groupBranches', () => {
  it('takes the uses of a GID together that ran at one time', () => {
    const uses = [0, 1, 2].flatMap((number) => [use('a', number), use('b', number)]);
    const groups = groupBranches(uses, [sameGidMatcher]).map(({ branches }) =>
      branches.map(({ node, xid }) => `${node}${xid}`).sort(),
    );
    assert.deepEqual(groups, [
      ['a3', 'b3'],
      ['a4', 'b4'],
      ['a5', 'b5'],
    ]);
  });

  it('looks at each use of a GID that is used again and again a few times, and not at all others', () => {
    const USES = 5000;
    const uses = Array.from({ length: USES }, (_, number) => [use('a', number), use('b', number)]).flat();
    const corrections = new CountedCorrections();
    const groups = groupBranches(uses, [sameGidMatcher], corrections satisfies ClockCorrections);
    assert.equal(groups.length, USES);
    const sorting = 2 * 2 * USES * Math.ceil(Math.log2(2 * USES));
    assert.ok(corrections.asked < sorting + 20 * USES, `${corrections.asked} looks`);
  });
});
