import assert from 'node:assert/strict';
import { AnyTime } from '../../../../coordinator/any-time/any-time.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { SnapshotCatalogue } from '../../../../shared/repository/snapshot-catalogue.ts';
import { RECORD_BYTES, writeStream } from '../../shared/any-time/made-files.ts';
import { MadeCopy } from '../../shared/verification/made-copy.ts';

const START = 0x100_0000n;
const START_US = 1_700_000_000_000_000n;

/** One node whose clock was read one second after its only record; nothing is held behind that. */
function copyUntilOneSecond(): MadeCopy {
  const at = lsn(START + 1_000n);
  const common = { lsn: at, endLsn: lsn(at + RECORD_BYTES), previousLsn: lsn(START + 40n), xid: 7, databaseOid: 5 };
  const clock = { offsetUs: 0n, uncertaintyUs: 100n, coordinatorId: 'east', term: 1n };
  const copy = new MadeCopy();
  writeStream(copy.objects, {
    node: 'n0',
    timeline: 1,
    startLsn: lsn(START),
    endLsn: lsn(START + 4_000n),
    events: [{ ...common, kind: 'commit', timeUs: START_US, subxids: [] }],
    records: [common.previousLsn, at],
    readings: [{ ...clock, atLsn: lsn(START + 3_000n), nodeTimeUs: START_US + 1_000_000n }],
  });
  return copy;
}

function anyTime(takeSnapshot: () => Promise<unknown>): AnyTime {
  const repository = copyUntilOneSecond();
  const options = { repository, catalogue: new SnapshotCatalogue(repository), match: ['same'] as const };
  return new AnyTime({
    ...options,
    clock: systemClock,
    dataCenter: 'east',
    copies: () => [],
    takeSnapshot: () => takeSnapshot,
  });
}

describe('any time, asked of a coordinator', () => {
  it('takes a snapshot only for what is not told by what is held', async () => {
    let taken = 0;
    const asked = anyTime(() => Promise.resolve((taken += 1)));
    assert.equal((await asked.at(START_US + 500_000n)).nodes.length, 1);
    assert.equal(taken, 0);
    await assert.rejects(asked.at(START_US + 2_000_000n), { code: 'TM-SNAP-004' });
    assert.equal(taken, 1);
  });

  it('says which time can be told last, where no snapshot can be taken either: after the loss of all nodes', async () => {
    const asked = anyTime(() => Promise.reject(new TidemarkError('TM-SNAP-002', 'no node answered')));
    await assert.rejects(asked.at(START_US + 2_000_000n), (error: unknown) => {
      assert(error instanceof TidemarkError);
      assert.equal(error.code, 'TM-SNAP-004');
      assert.match(error.hint, /^The latest time that can be told here is 2023-11-14T22:13:20\.999899Z/);
      return true;
    });
  });
});
