import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { EventScan } from '../../../../shared/wal-index/event-scan.ts';
import { decodeEvents, encodeEvents } from '../../../../shared/wal-index/transaction-event-codec.ts';
import { transactionEvents } from '../../../support/arbitrary-events.ts';

/** As a server can write them. */
const possible = transactionEvents.map((events) =>
  events.map((event) => ({
    ...event,
    lsn: lsn(event.lsn >> 13n),
    endLsn: lsn(event.endLsn >> 13n),
    previousLsn: lsn(event.previousLsn >> 13n),
    timeUs: event.timeUs >> 12n,
  })),
);

function plainCommit(index: number): TransactionEvent {
  const at = 0x20_0000_0000n + BigInt(index * 480);
  return {
    kind: 'commit',
    lsn: lsn(at),
    endLsn: lsn(at + 34n),
    previousLsn: lsn(at - 104n),
    xid: 70_000_000 + index,
    databaseOid: 0,
    timeUs: 1_795_000_000_000_000n + BigInt(index * 150),
    subxids: [],
  };
}

function scanned(scan: EventScan): TransactionEvent[] {
  const events: TransactionEvent[] = [];
  while (scan.next()) events.push(scan.whole());
  return events;
}

describe('event scan', () => {
  it('sees what decoding gives', () => {
    fc.assert(
      fc.property(possible, (events) => {
        const bytes = encodeEvents(events);
        assert.deepEqual(scanned(new EventScan(bytes)), decodeEvents(bytes));
      }),
    );
  });

  it('refuses what ends early or goes on, and what is too large', () => {
    fc.assert(
      fc.property(fc.nat(), possible, (cut, events) => {
        fc.pre(events.length > 0);
        const bytes = encodeEvents(events);
        assert.throws(() => scanned(new EventScan(bytes.subarray(0, (cut % (bytes.length - 1)) + 1))), {
          code: 'TM-REPO-003',
        });
        assert.throws(() => scanned(new EventScan(Buffer.concat([bytes, Buffer.of(0)]))), { code: 'TM-REPO-003' });
      }),
    );
    for (const head of ['00', '80']) {
      const tooLarge = Buffer.from(`0301${head}ffffffffffffffff0f`, 'hex');
      assert.throws(() => scanned(new EventScan(tooLarge)), { code: 'TM-REPO-003' });
    }
    assert.throws(() => new EventScan(Buffer.of(9)), { code: 'TM-REPO-008' });
  });

  it('never fails in another way on any bytes', () => {
    const beforeZero = Buffer.from('030100000014000000', 'hex');
    assert.throws(() => scanned(new EventScan(beforeZero)), { code: 'TM-REPO-003' });
    assert.throws(() => scanned(new EventScan(Buffer.from('030100010000000000', 'hex'))), { code: 'TM-REPO-003' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (tail, isPrefix) => {
        try {
          scanned(new EventScan(Buffer.concat([Buffer.of(3), tail]), { isPrefix }));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'TM-REPO-003');
        }
      }),
    );
  });

  it('gives the first events of a prefix', () => {
    fc.assert(
      fc.property(possible, fc.nat(), (events, cut) => {
        const many = [...events, ...Array.from({ length: 600 }, (_, index) => plainCommit(index))];
        const bytes = encodeEvents(many);
        const found = scanned(new EventScan(bytes.subarray(0, 1500 + (cut % bytes.length)), { isPrefix: true }));
        assert.deepEqual(found, many.slice(0, found.length));
        assert.ok(found.length > 0);
      }),
    );
  });

  it('passes over what has no time', () => {
    fc.assert(
      fc.property(possible, (events) => {
        const timed = events.filter(({ kind }) => kind !== 'decision-row' && kind !== 'restart');
        const scan = new EventScan(encodeEvents(events));
        const found: bigint[] = [];
        while (scan.nextTimed()) found.push(scan.whole().timeUs);
        assert.deepEqual(
          found,
          timed.map(({ timeUs }) => timeUs),
        );
      }),
    );
  });
});
