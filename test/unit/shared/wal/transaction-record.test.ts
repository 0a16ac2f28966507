import assert from 'node:assert/strict';
import { heapRecord, parserOf } from '../../../support/built-wal.ts';
import { appendTransaction } from '../../../support/transaction-records.ts';
import { WalBuilder } from '../../../support/wal-builder.ts';

describe("transactions' records", () => {
  it('reads a PREPARE of any version before the version is known', () => {
    for (const major of [13, 14, 15, 18]) {
      const builder = new WalBuilder({ major });
      heapRecord(builder, 10);
      const start = builder.position;
      const content = { xid: 8, timeUs: 5n, databaseOid: 5, subxids: [9, 10] };
      const events = [
        appendTransaction(builder, { ...content, kind: 'prepare', gid: 'transfer-1' }),
        appendTransaction(builder, { ...content, kind: 'commit-prepared', droppedStatistics: 3, invalidations: 2 }),
      ];
      const parser = parserOf(builder, { startLsn: start, atRecord: true });
      assert.deepEqual(parser.push(builder.bytes().subarray(Number(start - builder.startLsn))), events);
      assert.equal(parser.majorVersion, null);
    }
  });

  it('refuses to guess where a record reads in two ways before the version is known', () => {
    const builder = new WalBuilder({ major: 18 });
    heapRecord(builder, 10);
    const start = builder.position;
    const content = { kind: 'rollback-prepared', xid: 0x0101_0101, timeUs: 5n, databaseOid: 0, subxids: [] } as const;
    const event = appendTransaction(builder, { ...content, gid: 'x', droppedStatistics: 1 });
    const rest = builder.bytes().subarray(Number(start - builder.startLsn));
    assert.throws(() => parserOf(builder, { startLsn: start, atRecord: true }).push(rest), /version is needed/);
    const told = parserOf(builder, { startLsn: start, atRecord: true, majorVersion: 18 });
    assert.deepEqual(told.push(rest), [event]);
  });

  it('keeps a GID that is not UTF-8', () => {
    const builder = new WalBuilder();
    const gid = Buffer.from('Zürich', 'latin1');
    const content = { kind: 'prepare', xid: 8, timeUs: 5n, databaseOid: 5, subxids: [] } as const;
    appendTransaction(builder, { ...content, gid });
    appendTransaction(builder, { ...content, gid: 'Zürich' });
    assert.deepEqual(
      parserOf(builder)
        .push(builder.bytes())
        .map((event) => event.gid),
      ['Zürich', 'Zürich'],
    );
  });
});
