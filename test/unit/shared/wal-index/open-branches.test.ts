import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { applyEvents, listOpenBranches, NO_OPEN_BRANCHES } from '../../../../shared/wal-index/open-branches.ts';
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

describe('open branches', () => {
  it('are those that were prepared and not finished', () => {
    const open = applyEvents(NO_OPEN_BRANCHES, [
      event('prepare', 100, 1),
      event('commit', 200, 2),
      event('prepare', 300, 3),
      event('prepare', 400, 4),
      event('commit-prepared', 500, 3),
      event('rollback-prepared', 600, 1),
      event('abort', 700, 4),
    ]);
    assert.deepEqual(
      listOpenBranches(open).map((branch) => branch.xid),
      [4],
    );
  });

  it('are taken as of a position', () => {
    const events = [event('prepare', 100, 1), event('commit-prepared', 200, 1), event('prepare', 300, 2)];
    const at = (position: number) =>
      listOpenBranches(applyEvents(NO_OPEN_BRANCHES, events, lsn(BigInt(position)))).map((branch) => branch.xid);
    assert.deepEqual([at(100), at(101), at(200), at(201), at(301)], [[], [1], [1], [], [2]]);
  });

  it('keep a PREPARE that is known when it is seeded again, and forget a seed for it', () => {
    const prepare = event('prepare', 100, 1);
    const seed = event('prepare', 150, 1, { seeded: true });
    assert.deepEqual(listOpenBranches(applyEvents(NO_OPEN_BRANCHES, [prepare, seed])), [prepare]);
    assert.deepEqual(listOpenBranches(applyEvents(NO_OPEN_BRANCHES, [seed, prepare])), [prepare]);
  });

  it('do not depend on how the events are cut up', () => {
    const events = fc
      .array(
        fc.tuple(
          fc.constantFrom('prepare', 'commit-prepared', 'rollback-prepared', 'commit'),
          fc.integer({ min: 1, max: 6 }),
        ),
      )
      .map((list) => list.map(([kind, xid], index) => event(kind, 100 * (index + 1), xid)));
    fc.assert(
      fc.property(events, fc.nat(20), (list, cut) => {
        const whole = applyEvents(NO_OPEN_BRANCHES, list);
        const first = applyEvents(NO_OPEN_BRANCHES, list.slice(0, cut));
        assert.deepEqual(applyEvents(first, list.slice(cut)), whole);
        const last = new Map(list.filter(({ kind }) => kind !== 'commit').map((found) => [found.xid, found.kind]));
        assert.deepEqual(
          new Set(whole.keys()),
          new Set([...last].filter(([, kind]) => kind === 'prepare').map(([xid]) => xid)),
        );
      }),
    );
  });
});
