import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ClockLink } from '../../../../coordinator/clocks/clock-link.ts';

const calls = fc.array(
  fc.record({
    gapMs: fc.double({ min: 0, max: 1_500, noNaN: true }),
    thereMs: fc.oneof(fc.double({ min: 0.1, max: 0.5, noNaN: true }), fc.double({ min: 1, max: 60, noNaN: true })),
    backMs: fc.oneof(fc.double({ min: 0.1, max: 0.5, noNaN: true }), fc.double({ min: 1, max: 60, noNaN: true })),
    beforeUs: fc.nat(20_000),
    readingUs: fc.nat(4_000),
    afterUs: fc.nat(20_000),
  }),
  { minLength: 1, maxLength: 25 },
);

describe("the link of two hosts' clocks", () => {
  it('never takes off a part of the reading, while the clocks drift', () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: -990, max: 990 }), (made, driftPpm) => {
        const link = new ClockLink();
        let nowMs = 1_000;
        // The agent's clock is exact here, the leader's is not.
        const leader = (atMs: number) => 77_000 + atMs * (1 + driftPpm / 1e6);
        for (const { gapMs, thereMs, backMs, beforeUs, readingUs, afterUs } of made) {
          const fromMs = nowMs + gapMs;
          const arrivedMs = fromMs + thereMs;
          const answeredMs = arrivedMs + (beforeUs + readingUs) / 1000;
          nowMs = answeredMs + afterUs / 1000 + backMs;
          const startedMs = leader(fromMs);
          const endedMs = leader(nowMs);
          const around = link.take({
            startedMs,
            endedMs,
            arrivedMs: Math.floor(arrivedMs * 1000) / 1000,
            around: { beforeUs, afterUs },
            readingUs,
          });
          assert(startedMs + around.beforeUs / 1000 <= leader(arrivedMs + beforeUs / 1000), 'before reaches into it');
          assert(endedMs - around.afterUs / 1000 >= leader(answeredMs), 'after reaches into it');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes the quickest way there of one call and the quickest back of another', () => {
    const link = new ClockLink();
    const idle = { around: { beforeUs: 0, afterUs: 0 }, readingUs: 0 };
    link.take({ startedMs: 0, arrivedMs: 100.2, endedMs: 30, ...idle });
    const { beforeUs, afterUs } = link.take({ startedMs: 40, arrivedMs: 160, endedMs: 60.2, ...idle });
    assert(Math.abs(beforeUs - 19_800) < 150 && afterUs < 150, `${beforeUs} and ${afterUs} µs of 20200`);
  });
});
