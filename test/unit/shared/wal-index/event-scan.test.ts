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
    assert.throws(() => scanned(new EventScan(Buffer.from('010100ffffffffffffffff0f', 'hex'))), {
      code: 'TM-REPO-003',
    });
    assert.throws(() => new EventScan(Buffer.of(9)), { code: 'TM-REPO-008' });
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
