import * as fc from 'fast-check';
import { lsn } from '../../shared/postgres/lsn.ts';
import { CLOCK_READINGS_MAX, type ClockReading } from '../../shared/wal/clock-reading.ts';

const uint64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });

const clockReading: fc.Arbitrary<ClockReading> = fc.record(
  {
    atLsn: uint64.map(lsn),
    nodeTimeUs: int64,
    offsetUs: int64,
    uncertaintyUs: uint64,
    coordinatorId: fc.string({ unit: 'grapheme', maxLength: 20 }),
    term: uint64,
  },
  { noNullPrototype: true },
);

/** Any readings that the type allows. */
export const clockReadings = fc.array(clockReading, { maxLength: CLOCK_READINGS_MAX });
