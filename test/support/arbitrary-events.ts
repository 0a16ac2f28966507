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

/** Any events that the type allows, also such as no PostgreSQL writes. */
export const transactionEvents = fc.array(transactionEvent, { maxLength: 20 });
