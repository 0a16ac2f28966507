import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { assertTrueCut } from './assert-true-cut.ts';
import { computeAtTime, momentOf } from './compute-at-time.ts';
import { START_US, timedHistoryArbitrary } from './simulated-clocks.ts';

const moments = fc.double({ min: 0, max: 1, noNaN: true });

describe('a cut at a time', () => {
  for (const steps of [false, true]) {
    it(`is closed, holds nothing later and keeps its class, ${steps ? 'also where clocks are set' : 'with clocks apart'}`, () => {
      const seen = { causal: 0, bounded: 0, undecided: 0 };
      fc.assert(
        fc.property(timedHistoryArbitrary({ steps }), moments, (history, part) => {
          const momentUs = momentOf(history, part);
          const result = computeAtTime(history, momentUs, null);
          if (result === null) {
            seen.undecided++;
            return;
          }
          assert(result.kind === 'cut');
          seen[result.class.kind]++;
          assertTrueCut(history, momentUs, result.cut, result.class);
        }),
        { numRuns: 250 },
      );
      assert(seen.causal > 3 && seen.bounded > 3, JSON.stringify(seen));
    });
  }

  it('is the same wherever reading begins, or says that it has to begin earlier', () => {
    const seen = { same: 0, earlier: 0 };
    fc.assert(
      fc.property(timedHistoryArbitrary(), moments, moments, (history, part, from) => {
        const momentUs = momentOf(history, part);
        const all = computeAtTime(history, momentUs, null);
        fc.pre(all !== null);
        const some = computeAtTime(history, momentUs, Math.round(START_US + from * 0.15 * (momentUs - START_US)));
        assert(some !== null);
        seen[some.kind === 'cut' ? 'same' : 'earlier']++;
        if (some.kind !== 'cut' || all.kind !== 'cut') return;
        assert.deepEqual(
          some.cut.nodes.map(({ targetLsn }) => targetLsn),
          all.cut.nodes.map(({ targetLsn }) => targetLsn),
        );
        assert.deepEqual(some.cut.inDoubt, all.cut.inDoubt);
        assert.deepEqual(some.class, all.class);
      }),
      { numRuns: 250 },
    );
    assert(seen.same > 1 && seen.earlier > 1, JSON.stringify(seen));
  });
});
