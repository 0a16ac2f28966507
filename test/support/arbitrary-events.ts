import * as fc from 'fast-check';
import { lsn } from '../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';

const position = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(lsn);
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

const transactionEvent: fc.Arbitrary<TransactionEvent> = fc
  .record({
    kind: fc.constantFrom(
      'commit',
      'abort',
      'prepare',
      'commit-prepared',
      'rollback-prepared',
      'decision-row',
      'restart',
      'beginning',
    ),
    lsn: position,
    endLsn: position,
    previousLsn: position,
    xid: uint32,
    databaseOid: uint32,
    timeUs: fc.bigInt({ min: -(1n << 62n), max: 1n << 62n }),
    subxids: fc.array(uint32, { maxLength: 5 }),
    gid: fc.option(fc.string({ unit: 'grapheme', maxLength: 30 })),
    seeded: fc.boolean(),
  })
  .map(({ gid, seeded, ...event }) => ({
    ...event,
    ...(gid === null ? {} : { gid }),
    ...(seeded ? { seeded } : {}),
  }));

/** How an event goes on from the one before. */
const step = fc.record({
  eighths: fc.oneof(fc.nat(200), fc.bigInt({ min: 0n, max: 1n << 47n })),
  unaligned: fc.option(fc.integer({ min: -7, max: 7 }), { freq: 20 }),
  endDistance: fc.constantFrom(34, 34, 34, 58),
  previousDistance: fc.oneof(fc.constant(104), fc.nat(9000)),
  xid: fc.integer({ min: -5, max: 5 }),
  databaseOid: fc.constantFrom(0, 0, 16_384),
  timeUs: fc.integer({ min: -50, max: 100_000 }),
  kind: fc.constantFrom('commit', 'commit', 'commit', 'abort', 'prepare'),
  subxids: fc.option(fc.array(uint32, { minLength: 1, maxLength: 3 }), { freq: 10 }),
});

/** Events about as a server writes them, most of them plain commits and aborts. */
const plausibleEvents: fc.Arbitrary<TransactionEvent[]> = fc
  .tuple(fc.integer({ min: 1000, max: 0xffff_f000 }), fc.array(step, { maxLength: 20 }))
  .map(([firstXid, steps]) => {
    let at = 0x16_0000_0000n;
    let xid = firstXid;
    let timeUs = 1_795_000_000_000_000n;
    return steps.map(({ eighths, unaligned, endDistance, previousDistance, subxids, ...given }): TransactionEvent => {
      at += BigInt(eighths) * 8n + BigInt(unaligned ?? 0);
      xid += given.xid;
      timeUs += BigInt(given.timeUs);
      return {
        kind: given.kind,
        lsn: lsn(at),
        endLsn: lsn(at + BigInt(endDistance)),
        previousLsn: lsn(at - BigInt(previousDistance)),
        xid,
        databaseOid: given.databaseOid,
        ...(given.kind === 'prepare' ? { gid: `branch-${xid}` } : {}),
        timeUs,
        subxids: subxids ?? [],
      };
    });
  });

/** Any events that the type allows, also such as no PostgreSQL writes. */
export const transactionEvents = fc.oneof(
  fc.array(transactionEvent, { maxLength: 20 }),
  plausibleEvents,
  fc.tuple(plausibleEvents, fc.array(transactionEvent, { maxLength: 3 }), plausibleEvents).map((parts) => parts.flat()),
);
