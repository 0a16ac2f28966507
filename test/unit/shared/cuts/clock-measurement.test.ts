import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { measureClock } from '../../../../shared/cuts/clock-measurement.ts';

describe('a measured clock', () => {
  it('lies within its uncertainty, whenever in the call the node read its clock', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_700_000_000_000_000, max: 1_800_000_000_000_000 }),
        fc.nat(50_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: -5_000_000, max: 5_000_000 }),
        (startedUs, tookUs, part, trueOffsetUs) => {
          const readAtUs = startedUs + Math.floor(tookUs * part);
          const measured = measureClock({
            nodeTimeUs: BigInt(readAtUs - trueOffsetUs),
            askedAtMs: Math.floor(startedUs / 1000),
            tookMs: tookUs / 1000,
          });
          const errorUs = Number(measured.offsetUs) - trueOffsetUs;
          assert(Math.abs(errorUs) <= Number(measured.uncertaintyUs) + 1, `off by ${errorUs} µs`);
        },
      ),
    );
  });
});
