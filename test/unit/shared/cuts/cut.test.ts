import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Branch } from '../../../../shared/cuts/branch.ts';
import { citusMatcher, sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { closureViolations, greatestClosedCut } from '../../../../shared/cuts/closed-cut.ts';
import { computeCut, type Cut } from '../../../../shared/cuts/cut.ts';
import { groupBranches } from '../../../../shared/cuts/distributed-transaction.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import {
  allCuts,
  branchesOf,
  endOf,
  historyArbitrary,
  instant,
  isClosed,
  type SimulatedHistory,
} from './simulated-history.ts';

const FAR = lsn(1_000_000n);

function cutOf(history: SimulatedHistory, wish: ReadonlyMap<string, Lsn>, branches: readonly Branch[]): Cut {
  return computeCut(
    history.nodes.map((node) => {
      const wishLsn = wish.get(node) as Lsn;
      const next = history.events.find((event) => event.node === node && event.lsn >= wishLsn);
      const targetLsn = next?.previousLsn ?? wishLsn;
      return {
        node,
        wishLsn,
        wishPosition: { targetLsn, walEndLsn: next?.lsn ?? lsn(wishLsn + 8n) },
        decidedByLsn: FAR,
        readLsn: FAR,
        branches: branches.filter((branch) => branch.node === node),
        orphans: [],
      };
    }),
    [sameGidMatcher],
    new Map([...history.skewsUs].map(([node, skewUs]) => [node, BigInt(-skewUs)])),
  );
}

/** Every node at its own moment. */
function vector(history: SimulatedHistory, moments: readonly number[]): Map<string, Lsn> {
  return new Map(history.nodes.map((node, index) => [node, endOf(history, node, moments[index] ?? 0)]));
}

const position = (place: number) => lsn(BigInt(1000 + 10 * place));

const blank = {
  timeline: 1,
  xid: 1,
  databaseOid: 5,
  preparedAtUs: 0n,
  seeded: false,
  preparedAfterBarrier: 0,
  endedBeforeBarrier: Infinity,
  lost: false,
  decidedCommit: false,
};

const moments = fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 5, maxLength: 5 });

/** By definition and by enumeration: the greatest closed cut, and what is in doubt at it. */
function oracle(history: SimulatedHistory, wish: ReadonlyMap<string, Lsn>) {
  const size = (cut: ReadonlyMap<string, Lsn>) =>
    history.events.filter((event) => event.lsn < (cut.get(event.node) as Lsn)).length;
  let greatest: Map<string, Lsn> | undefined;
  for (const cut of allCuts(history, wish)) {
    if (isClosed(history, cut) && (greatest === undefined || size(cut) > size(greatest))) {
      greatest = cut;
    }
  }
  assert(greatest !== undefined, 'the empty cut is closed');
  const limits = greatest;
  const held = history.events.filter((event) => event.lsn < (limits.get(event.node) as Lsn));
  const inDoubt = held
    .filter((event) => event.kind === 'prepare')
    .filter(
      (prepare) =>
        !held.some(
          (end) => end.node === prepare.node && end.transaction === prepare.transaction && end.kind !== 'prepare',
        ),
    )
    .map((prepare) => {
      const committed = held.some((event) => event.transaction === prepare.transaction && event.kind === 'commit');
      return `${prepare.node} ${prepare.lsn} ${committed ? 'commit' : 'rollback'}`;
    });
  return { limits, inDoubt: inDoubt.sort() };
}

function assertAgrees(history: SimulatedHistory, wish: ReadonlyMap<string, Lsn>, branches: readonly Branch[]): void {
  const expected = oracle(history, wish);
  const cut = cutOf(history, wish, branches);
  assert.deepEqual(new Map(cut.nodes.map((node) => [node.node, node.limitLsn])), expected.limits);
  assert.deepEqual(
    cut.inDoubt.map((branch) => `${branch.node} ${branch.prepareLsn} ${branch.decision}`).sort(),
    expected.inDoubt,
  );
  for (const node of cut.nodes) {
    const events = history.events.filter((event) => event.node === node.node);
    // The target is inclusive: what starts at or below it is restored.
    assert.deepEqual(
      events.filter((event) => event.lsn <= node.targetLsn),
      events.filter((event) => event.lsn < node.limitLsn),
    );
  }
}

describe('cut engine', () => {
  it('finds the greatest closed cut and its decisions, as enumeration does', () => {
    fc.assert(
      fc.property(historyArbitrary({ stepsMin: 8 }), moments, (history, at) => {
        assertAgrees(history, vector(history, at), branchesOf(history));
      }),
      { numRuns: 1200 },
    );
  });

  it('shrinks over many steps where one missing PREPARE takes others with it', () => {
    fc.assert(
      fc.property(historyArbitrary({ stepsMin: 40, steps: 60, nodesMax: 3 }), moments, (history, at) => {
        assertAgrees(
          history,
          vector(
            history,
            at.map((moment) => 2 * moment),
          ),
          branchesOf(history),
        );
      }),
      { numRuns: 200 },
    );
    // t0 lacks its PREPARE on n2; each commit that goes takes the next transaction's PREPARE out, forth and back.
    const chain = [2, 1, 0, 1, 2, 1].map((node, index) => ({ node, next: [1, 0, 1, 2, 1, 0][index] ?? 0 }));
    const branches: Branch[] = chain.flatMap(({ node, next }, index) => [
      { ...blank, gid: `t${index}`, node: `n${node}`, prepareLsn: position(60 - 10 * index), end: null },
      {
        ...blank,
        gid: `t${index}`,
        node: `n${next}`,
        prepareLsn: position(5),
        end: { kind: 'commit', lsn: position(59 - 10 * (index + 1)), previousLsn: position(1), timeUs: 0n },
      },
    ]);
    const limits = greatestClosedCut(
      groupBranches(branches, [sameGidMatcher]),
      new Map(['n0', 'n1', 'n2'].map((node) => [node, position(60)])),
    );
    assert.deepEqual(
      [...limits.values()].map(Number),
      [-1, 9, 19].map((value) => Number(position(value))),
    );
  });

  it('takes several branches of one node for one transaction where only their GIDs differ, and not where one had ended', () => {
    const branch = (gid: string, node: string, prepared: number, committed: number | null): Branch => ({
      ...blank,
      gid,
      node,
      prepareLsn: position(prepared),
      end:
        committed === null
          ? null
          : { kind: 'commit', lsn: position(committed), previousLsn: position(committed - 1), timeUs: 0n },
    });
    const together = [branch('citus_0_1_1_0', 'a', 1, 5), branch('citus_0_1_1_1', 'a', 2, 6)];
    const later = branch('citus_0_1_1_2', 'a', 7, null);
    const elsewhere = branch('citus_0_1_1_3', 'b', 1, null);
    const grouped = (...branches: readonly Branch[]) =>
      groupBranches(branches, [citusMatcher]).map((transaction) => transaction.branches.map(({ gid }) => gid.at(-1)));
    assert.deepEqual(grouped(...together, elsewhere), [['0', '1', '3']]);
    assert.equal(grouped(...together, later).length, 2);
  });

  it('keeps the state at an instant as it is', () => {
    fc.assert(
      fc.property(historyArbitrary({ steps: 40 }), fc.integer({ min: 0, max: 40_000 }), (history, atUs) => {
        const cut = cutOf(history, instant(history, atUs), branchesOf(history));
        assert(cut.atWish);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps apart the uses of a GID in one window, by corrected clocks', () => {
    fc.assert(
      fc.property(historyArbitrary({ steps: 40, nodesMax: 3, gidPool: 2 }), moments, (history, at) => {
        assertAgrees(history, vector(history, at), branchesOf(history));
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps apart the uses of a GID over a barrier, whatever the clocks show', () => {
    fc.assert(
      fc.property(
        historyArbitrary({ stepsMin: 12, steps: 30, nodesMax: 4 }),
        moments,
        moments,
        (history, round, at) => {
          const middleUs = (history.events.length / 2) * 1000;
          const before = vector(
            history,
            round.map((offset) => middleUs - (offset % 3000)),
          );
          const after = vector(
            history,
            round.map((offset) => middleUs + (offset % 2000)),
          );
          const known = branchesOf(history).map((branch) => ({
            ...branch,
            endedBeforeBarrier: branch.end !== null && branch.end.lsn < (before.get(branch.node) as Lsn) ? 1 : Infinity,
            preparedAfterBarrier: branch.prepareLsn >= (after.get(branch.node) as Lsn) ? 1 : 0,
          }));
          const transactionsThat = (test: (branch: Branch) => boolean) =>
            history.gids.flatMap((_gid, transaction) => {
              const branches = known.filter((branch) => branch.transaction === transaction);
              return branches.length > 0 && branches.every(test) ? [transaction] : [];
            });
          const early = transactionsThat((branch) => branch.endedBeforeBarrier === 1);
          const late = transactionsThat((branch) => branch.preparedAfterBarrier === 1);
          const reused = known.map((branch) => {
            const place = Math.max(early.indexOf(branch.transaction), late.indexOf(branch.transaction));
            return place === -1 ? branch : { ...branch, gid: `reused ${place}` };
          });
          assertAgrees({ ...history, skewsUs: new Map() }, vector(history, at), reused);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('sees that the naive cut, each node at its own latest position, is not closed', () => {
    let open = 0;
    fc.assert(
      fc.property(historyArbitrary({ stepsMin: 30, steps: 60 }), moments, (history, at) => {
        const naive = vector(history, at);
        const branches = branchesOf(history);
        const violations = closureViolations(groupBranches(branches, [sameGidMatcher]), naive);
        assert.equal(violations.length === 0, isClosed(history, naive));
        open += violations.length === 0 ? 0 : 1;
      }),
      { numRuns: 1000, seed: 7 },
    );
    assert(open > 50, `only ${open} of 1000 naive cuts were open`);
  });
});
