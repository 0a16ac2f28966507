import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
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

  it('takes four bytes for a plain commit, and little more for those of many clients', () => {
    const plain = (index: number, step: (index: number) => number): TransactionEvent => {
      const at = 0x16_0000_0000n + BigInt(index * 480);
      return {
        kind: index % 50 === 0 ? 'abort' : 'commit',
        lsn: lsn(at),
        endLsn: lsn(at + 34n),
        previousLsn: lsn(at - 104n),
        xid: 70_000_000 + step(index),
        databaseOid: 16_384,
        timeUs: 1_795_000_000_000_000n + BigInt(index * 150),
        subxids: [],
      };
    };
    const bytesEach = (step: (index: number) => number) => {
      const events = Array.from({ length: 1000 }, (_, index) => plain(index, step));
      const bytes = encodeEvents(events);
      assert.deepEqual(decodeEvents(bytes), events);
      return bytes.length / events.length;
    };
    assert.ok(bytesEach((index) => index) < 4.1);
    assert.ok(bytesEach((index) => index + ((index * 7) % 32)) < 5.1);
  });

  it('has the form that is described', () => {
    const event = (kind: 'commit' | 'abort', at: bigint, xid: number, timeUs: bigint): TransactionEvent => ({
      kind,
      lsn: lsn(at),
      endLsn: lsn(at + 34n),
      previousLsn: lsn(at - 16n),
      xid,
      databaseOid: 5,
      timeUs,
      subxids: [],
    });
    const events = [
      event('commit', 0x400n, 50, 7n),
      event('abort', 0x600n, 51, 6n),
      event('commit', 0x608n, 47, 8n),
      event('commit', 0x60fn, 47, 8n),
    ];
    const expected = [
      '0304', // version, number
      'b8 8001 44 20 64 05 0e', // everything written
      'c4 40 01', // xid + 1, the rest as before
      '80 01 07 04', // xid - 4 does not fit into the first byte
      '00 0e 44 20 00 05 00', // the long form, as it is not aligned
    ].join('');
    assert.equal(encodeEvents(events).toString('hex'), expected.replaceAll(' ', ''));
  });

  it('reads the events of the versions that had the long form only', () => {
    const events: TransactionEvent[] = [
      {
        kind: 'prepare',
        lsn: lsn(0x403n),
        endLsn: lsn(0x500n),
        previousLsn: lsn(0x300n),
        xid: 3,
        databaseOid: 5,
        gid: 'a',
        timeUs: 4n,
        subxids: [4, 5],
      },
    ];
    const bytes = encodeEvents(events);
    for (const version of [1, 2]) {
      assert.deepEqual(decodeEvents(Buffer.concat([Buffer.of(version), bytes.subarray(1)])), events);
    }
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
          decodeEvents(Buffer.concat([Buffer.of(3), tail]));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'TM-REPO-003');
        }
      }),
    );
  });
});
