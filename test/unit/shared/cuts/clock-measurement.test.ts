import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { measureClock, wholeMilliseconds } from '../../../../shared/cuts/clock-measurement.ts';

const part = fc.double({ min: 0, max: 1, noNaN: true });

describe('a measured clock', () => {
  it('lies within its uncertainty, whatever the parts of the call took', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_700_000_000_000_000, max: 1_800_000_000_000_000 }),
        fc.record({ there: fc.nat(50_000), before: fc.nat(50_000), reading: fc.nat(9_000), after: fc.nat(50_000) }),
        part,
        fc.integer({ min: -1_000, max: 1_000 }),
        fc.integer({ min: -5_000_000, max: 5_000_000 }),
        (startedUs, { there, before, reading, after }, readPart, agentPpm, trueOffsetUs) => {
          const back = there / 2;
          const tookUs = there + before + reading + after + back;
          const readAtUs = startedUs + there + before + Math.floor(reading * readPart);
          const measured = measureClock({
            nodeTimeUs: BigInt(Math.floor(readAtUs - trueOffsetUs)),
            askedAt: wholeMilliseconds(Math.floor(startedUs / 1000)),
            tookMs: tookUs / 1000,
            around: {
              beforeUs: Math.floor(before * (1 + agentPpm / 1e6)),
              afterUs: Math.floor(after * (1 + agentPpm / 1e6)),
            },
          });
          const errorUs = Number(measured.offsetUs) - trueOffsetUs;
          assert(Math.abs(errorUs) <= Number(measured.uncertaintyUs), `off by ${errorUs} µs`);
          // Two thousandths of what the agent did, since its clock may run otherwise, and the wall clock's millisecond.
          const most = (there + reading + back + (before + after) / 500 + 1_000) / 2 + 3;
          assert(measured.uncertaintyUs <= Math.ceil(most), `uncertain by ${measured.uncertaintyUs} of ${most} µs`);
        },
      ),
    );
  });

  it('is not narrowed by an agent that says that it took longer than the whole call', () => {
    const call = { nodeTimeUs: 0n, askedAt: wholeMilliseconds(1_000), tookMs: 4 };
    const plain = measureClock(call);
    assert.deepEqual(measureClock({ ...call, around: { beforeUs: 3_000, afterUs: 1_005 } }), plain);
    assert(measureClock({ ...call, around: { beforeUs: 2_000, afterUs: 1_000 } }).uncertaintyUs < plain.uncertaintyUs);
  });
});
