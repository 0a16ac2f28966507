import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { applyEvents, listOpen, NOTHING_OPEN } from '../../../../shared/wal-index/open-transactions.ts';
import type { TransactionEvent, TransactionEventKind } from '../../../../shared/wal/transaction-event.ts';

function event(
  kind: TransactionEventKind,
  at: number,
  xid: number,
  extra: Partial<TransactionEvent> = {},
): TransactionEvent {
  return {
    kind,
    lsn: lsn(BigInt(at)),
    endLsn: lsn(BigInt(at + 8)),
    previousLsn: lsn(BigInt(at - 8)),
    xid,
    databaseOid: 5,
    timeUs: BigInt(at),
    subxids: [],
    ...(kind === 'prepare' ? { gid: `g${xid}` } : {}),
    ...extra,
  };
}

describe('open transactions', () => {
  it('are those that were prepared and not finished', () => {
    const open = applyEvents(NOTHING_OPEN, [
      event('prepare', 100, 1),
      event('commit', 200, 2),
      event('prepare', 300, 3),
      event('prepare', 400, 4),
      event('commit-prepared', 500, 3),
      event('rollback-prepared', 600, 1),
      event('abort', 700, 4),
    ]);
    assert.deepEqual(
      listOpen(open).map((branch) => branch.xid),
      [4],
    );
  });

  it('are taken as of a position', () => {
    const events = [event('prepare', 100, 1), event('commit-prepared', 200, 1), event('prepare', 300, 2)];
    const at = (position: number) =>
      listOpen(applyEvents(NOTHING_OPEN, events, lsn(BigInt(position)))).map((branch) => branch.xid);
    assert.deepEqual([at(100), at(101), at(200), at(201), at(301)], [[], [1], [1], [], [2]]);
  });

  it('keep a PREPARE that is known when it is seeded again, and forget a seed for it', () => {
    const prepare = event('prepare', 100, 1);
    const seed = event('prepare', 150, 1, { seeded: true });
    assert.deepEqual(listOpen(applyEvents(NOTHING_OPEN, [prepare, seed])), [prepare]);
    assert.deepEqual(listOpen(applyEvents(NOTHING_OPEN, [seed, prepare])), [prepare]);
  });

  it('do not depend on how the events are cut up', () => {
    const events = fc
      .array(
        fc.tuple(
          fc.constantFrom('prepare', 'commit-prepared', 'rollback-prepared', 'commit', 'decision-row', 'restart'),
          fc.integer({ min: 1, max: 6 }),
        ),
      )
      .map((list) => list.map(([kind, xid], index) => event(kind, 100 * (index + 1), xid)));
    fc.assert(
      fc.property(events, fc.nat(20), (list, cut) => {
        const whole = applyEvents(NOTHING_OPEN, list);
        const first = applyEvents(NOTHING_OPEN, list.slice(0, cut));
        assert.deepEqual(applyEvents(first, list.slice(cut)), whole);
        const ends = list.filter(({ kind }) => kind === 'prepare' || kind.endsWith('-prepared'));
        const last = new Map(ends.map((found) => [found.xid, found.kind]));
        assert.deepEqual(
          new Set(whole.branches.keys()),
          new Set([...last].filter(([, kind]) => kind === 'prepare').map(([xid]) => xid)),
        );
      }),
    );
  });

  it('are nothing where the WAL was read anew, but what is seeded there', () => {
    const seed = { seeded: true, lsn: lsn(400n), endLsn: lsn(400n) };
    const open = applyEvents(NOTHING_OPEN, [
      event('prepare', 100, 1),
      event('prepare', 200, 2),
      event('decision-row', 300, 3, { gid: 'g' }),
      event('beginning', 400, 0, seed),
      event('prepare', 400, 2, seed),
    ]);
    assert.deepEqual(
      listOpen(open).map(({ xid, kind }) => [xid, kind]),
      [[2, 'prepare']],
    );
  });

  it('hold the rows that decide until their transaction ends, or the server restarts', () => {
    const rows = (...events: readonly TransactionEvent[]) =>
      listOpen(applyEvents(NOTHING_OPEN, events)).flatMap(({ kind, xid }) => (kind === 'decision-row' ? [xid] : []));
    const row = (at: number, xid: number) => event('decision-row', at, xid, { gid: `citus_0_1_1_${at}` });
    assert.deepEqual(rows(row(100, 1), row(200, 1), row(300, 2)), [1, 1, 2]);
    assert.deepEqual(rows(row(100, 1), row(100, 1)), [1], 'read twice');
    assert.deepEqual(rows(row(100, 1), row(200, 2), event('commit', 300, 1)), [2]);
    assert.deepEqual(rows(row(100, 1), row(200, 2), event('abort', 300, 2)), [1]);
    assert.deepEqual(rows(row(100, 7), event('commit', 300, 1, { subxids: [7] })), [], 'of a subtransaction');
    assert.deepEqual(rows(row(100, 1), event('restart', 200, 0)), []);
    const prepared = [row(100, 1), event('prepare', 200, 1), event('restart', 300, 0)];
    assert.deepEqual(rows(...prepared), [1], 'a prepared one outlives a restart');
    assert.deepEqual(rows(...prepared, event('commit-prepared', 400, 1)), []);
  });
});
