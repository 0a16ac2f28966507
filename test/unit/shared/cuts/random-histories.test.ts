import assert from 'node:assert/strict';
import process from 'node:process';
import { BranchHistory, FIRST_BARRIER } from '../../../../shared/cuts/branch-history.ts';
import { citusMatcher, sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { computeCut, type Cut } from '../../../../shared/cuts/cut.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { randomHistory, type HistoryRecord, type RandomHistory } from '../../../support/random-history.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';

type Vector = ReadonlyMap<string, Lsn>;

const FAR = lsn(1_000_000n);
/** Of so many cuts at most every single one is looked at; of more, the definition is followed step by step. */
const CUTS_MAX = 3000;

/** What happened in the history that goes on, on the nodes that are in the cut. */
function recordsOf({ records, failover }: RandomHistory, nodes: readonly string[]): HistoryRecord[] {
  return records.filter(
    ({ node, event, part }) =>
      nodes.includes(node) && part !== 'other' && !(node === failover?.node && event.lsn >= failover.forkLsn),
  );
}

function isIn({ node, event }: HistoryRecord, cut: Vector): boolean {
  return event.lsn < (cut.get(node) ?? 0n);
}

/** By definition: a commit needs every PREPARE and the decision, if there is one; a decision needs every PREPARE. */
function missing(records: readonly HistoryRecord[], cut: Vector): HistoryRecord[] {
  return records.filter((record) => {
    if ((record.part !== 'commit' && record.part !== 'decision') || !isIn(record, cut)) return false;
    const needed = record.part === 'commit' ? ['prepare', 'decision'] : ['prepare'];
    return records.some(
      (other) => other.transaction === record.transaction && needed.includes(other.part) && !isIn(other, cut),
    );
  });
}

function byRemoval(records: readonly HistoryRecord[], wish: Vector): Map<string, Lsn> {
  const cut = new Map(wish);
  for (let out = missing(records, cut); out.length > 0; out = missing(records, cut)) {
    for (const { node, event } of out) if (event.lsn < (cut.get(node) ?? 0n)) cut.set(node, event.lsn);
  }
  return cut;
}

/** The closed cut that holds most, among all; null if there are too many. */
function byEnumeration(records: readonly HistoryRecord[], wish: Vector): Map<string, Lsn> | null {
  const choices = [...wish].map(([node, limit]) => [
    ...records.filter((record) => record.node === node && record.event.lsn < limit).map(({ event }) => event.lsn),
    limit,
  ]);
  if (choices.reduce((product, { length }) => product * length, 1) > CUTS_MAX) return null;
  let cuts: Map<string, Lsn>[] = [new Map()];
  for (const [index, node] of [...wish.keys()].entries()) {
    cuts = cuts.flatMap((cut) => (choices[index] ?? []).map((limit) => new Map([...cut, [node, limit]])));
  }
  const size = (cut: Vector) => records.filter((record) => isIn(record, cut)).length;
  let best: { readonly cut: Map<string, Lsn>; readonly size: number } | null = null;
  for (const cut of cuts) {
    const held = size(cut);
    if ((best === null || held > best.size) && missing(records, cut).length === 0) best = { cut, size: held };
  }
  return best?.cut ?? null;
}

function inDoubt(records: readonly HistoryRecord[], cut: Vector): string[] {
  const held = records.filter((record) => isIn(record, cut));
  return held
    .filter(({ part }) => part === 'prepare')
    .filter(
      ({ node, event }) =>
        !held.some((end) => end.node === node && end.event.xid === event.xid && end.event.kind.endsWith('-prepared')),
    )
    .map(({ node, event, transaction }) => {
      const committed = held.some(
        (record) => record.transaction === transaction && (record.part === 'commit' || record.part === 'decision'),
      );
      return `${node} ${event.lsn} ${committed ? 'commit' : 'rollback'}`;
    })
    .sort();
}

/** As a leader reads the history, with a barrier where one was taken. */
function cutOf(history: RandomHistory, wish: Vector): Cut {
  const { records, collect, failover } = history;
  const histories = new Map(history.nodes.map((node) => [node, new BranchHistory(node, 1)]));
  for (const [index, { node, event }] of records.entries()) {
    if (index === collect?.readAt) markBarrier(histories, collect);
    histories.get(node)?.apply(event);
  }
  if (failover !== null) histories.get(failover.node)?.switchTimeline(2, failover.forkLsn);
  return computeCut(
    [...wish].map(([node, wishLsn]) => {
      const wishPosition = { targetLsn: lsn(wishLsn - 1n), walEndLsn: wishLsn };
      const known = histories.get(node) as BranchHistory;
      return { node, wishLsn, wishPosition, decidedByLsn: FAR, readLsn: FAR, ...known.forCut() };
    }),
    [citusMatcher, sameGidMatcher],
    history.corrections,
  );
}

function markBarrier(
  histories: ReadonlyMap<string, BranchHistory>,
  { first, second }: NonNullable<RandomHistory['collect']>,
): void {
  for (const [node, known] of histories) {
    known.markBarrier(FIRST_BARRIER, first.get(node) as Lsn, second.get(node) as Lsn);
  }
}

function randomWish(history: RandomHistory, random: SeededRandom): Map<string, Lsn> {
  const missingNode = random.next() < 0.2 ? random.pick(history.nodes) : null;
  const wish = new Map<string, Lsn>();
  for (const node of history.nodes) {
    if (node === missingNode) continue;
    const starts = history.records.filter((record) => record.node === node).map(({ event }) => event.lsn);
    const limit = starts[random.below(starts.length + 1)] ?? FAR;
    wish.set(node, limit);
  }
  return wish;
}

describe('cut engine, on random histories', () => {
  it('finds the greatest closed cut and its decisions: decisions, reuse, losses, failovers and missing nodes', () => {
    const count = Number(process.env['TIDEMARK_HISTORIES'] ?? 1000);
    const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Date.now() % 1_000_000_000);
    const random = new SeededRandom(seed);
    const seen = { shrunk: 0, enumerated: 0, decided: 0, inDoubt: 0, failovers: 0, reused: 0 };
    for (let number = 0; number < count; number++) {
      const history = randomHistory(random, 6 + random.below(30));
      const wish = randomWish(history, random);
      const records = recordsOf(history, [...wish.keys()]);
      const what = `TIDEMARK_TEST_SEED=${seed} TIDEMARK_HISTORIES=${number + 1}`;
      const cut = cutOf(history, wish);
      const found = new Map(cut.nodes.map(({ node, limitLsn }) => [node, limitLsn]));
      const expected = byRemoval(records, wish);
      assert.deepEqual(found, expected, what);
      const enumerated = byEnumeration(records, wish);
      if (enumerated !== null) {
        // Two limits may hold the same.
        const held = (limits: Vector) => records.filter((record) => isIn(record, limits));
        assert.deepEqual(held(found), held(enumerated), what);
        seen.enumerated++;
      }
      assert.deepEqual(
        cut.inDoubt.map(({ node, prepareLsn, decision }) => `${node} ${prepareLsn} ${decision}`).sort(),
        inDoubt(records, expected),
        what,
      );
      seen.shrunk += cut.atWish ? 0 : 1;
      seen.decided += records.some(({ part }) => part === 'decision') ? 1 : 0;
      seen.inDoubt += cut.inDoubt.some(({ decision }) => decision === 'commit') ? 1 : 0;
      seen.failovers += history.failover === null ? 0 : 1;
      const prepares = history.records.filter(({ part }) => part === 'prepare');
      const names = new Set(prepares.map(({ node, event }) => `${node} ${event.gid}`));
      seen.reused += names.size < prepares.length ? 1 : 0;
    }
    for (const [what, times] of Object.entries(seen)) {
      assert(times > count / 50, `only ${times} of ${count} histories: ${what} (seed ${seed})`);
    }
    if (count > 1000) console.log(`      ${count} histories, seed ${seed}: ${JSON.stringify(seen)}`);
  });
});
