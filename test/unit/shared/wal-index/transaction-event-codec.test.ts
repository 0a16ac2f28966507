import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { decodeEvents, encodeEvents } from '../../../../shared/wal-index/transaction-event-codec.ts';
import { transactionEvents } from '../../../support/arbitrary-events.ts';

describe('transaction event codec', () => {
  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(transactionEvents, (events) => {
        assert.deepEqual(decodeEvents(encodeEvents(events)), events);
      }),
    );
  });

  it('writes nothing for nothing', () => {
    assert.equal(encodeEvents([]).length, 0);
    assert.deepEqual(decodeEvents(Buffer.alloc(0)), []);
  });

  it('takes few bytes for plain commits', () => {
    const events = Array.from({ length: 1000 }, (_, index) => ({
      kind: 'commit' as const,
      lsn: lsn(0x16_0000_0000n + BigInt(index * 900)),
      endLsn: lsn(0x16_0000_0000n + BigInt(index * 900 + 34)),
      previousLsn: lsn(0x16_0000_0000n + BigInt(index * 900 - 80)),
      xid: 70_000_000 + index,
      databaseOid: 0,
      timeUs: 1_795_000_000_000_000n + BigInt(index * 150),
      subxids: [],
    }));
    assert.ok(encodeEvents(events).length / events.length < 12);
  });

  it('refuses every truncation', () => {
    fc.assert(
      fc.property(fc.nat(), transactionEvents, (cut, events) => {
        fc.pre(events.length > 0);
        const bytes = encodeEvents(events);
        const kept = cut % bytes.length;
        fc.pre(kept > 0);
        assert.throws(() => decodeEvents(bytes.subarray(0, kept)), { code: 'TM-REPO-003' });
      }),
    );
  });

  it('refuses trailing bytes, unknown versions and unknown kinds', () => {
    const bytes = encodeEvents([
      {
        kind: 'abort',
        lsn: lsn(1n),
        endLsn: lsn(2n),
        previousLsn: lsn(0n),
        xid: 3,
        databaseOid: 0,
        timeUs: 4n,
        subxids: [],
      },
    ]);
    assert.throws(() => decodeEvents(Buffer.concat([bytes, Buffer.of(0)])), { code: 'TM-REPO-003' });
    assert.throws(() => decodeEvents(Buffer.concat([Buffer.of(9), bytes.subarray(1)])), { code: 'TM-REPO-008' });
    const unknownKind = Buffer.from(bytes);
    unknownKind[2] = 0x0f;
    assert.throws(() => decodeEvents(unknownKind), { code: 'TM-REPO-003' });
  });

  it('never fails in another way on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        try {
          decodeEvents(Buffer.concat([Buffer.of(1), tail]));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'TM-REPO-003');
        }
      }),
    );
  });
});
