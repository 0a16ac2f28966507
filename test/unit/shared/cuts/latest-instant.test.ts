import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { INSTANT_WITHIN_US, latestInstant } from '../../../../shared/cuts/latest-instant.ts';

const MOMENT_US = 1_795_000_000_000_000;

const spans = fc.array(
  fc
    .record({ beforeUs: fc.integer({ min: -4_000, max: 19_000 }), widthUs: fc.oneof(fc.nat(300), fc.nat(6_000)) })
    .map(({ beforeUs, widthUs }) => ({
      earliestUs: MOMENT_US - beforeUs,
      latestUs: MOMENT_US - beforeUs + widthUs,
    })),
  { maxLength: 30 },
);

describe('the latest instant', () => {
  it('is the last moment on which no commit of any node lies unsure', () => {
    const seen = { moment: 0, earlier: 0, none: 0 };
    fc.assert(
      fc.property(
        fc.array(fc.record({ unsure: spans, beginsUs: fc.integer({ min: -40_000, max: 0 }) }), {
          minLength: 1,
          maxLength: 4,
        }),
        (shapes) => {
          const nodes = shapes.map(({ unsure, beginsUs }) => ({ unsure, notBeforeUs: MOMENT_US + beginsUs }));
          const isSure = (atUs: number) =>
            nodes.every(({ unsure }) =>
              unsure.every(({ earliestUs, latestUs }) => earliestUs > atUs || latestUs <= atUs),
            );
          const leastUs = Math.max(MOMENT_US - INSTANT_WITHIN_US, ...nodes.map(({ notBeforeUs }) => notBeforeUs));
          let expected: number | null = null;
          for (let atUs = MOMENT_US; atUs >= leastUs && expected === null; atUs--) if (isSure(atUs)) expected = atUs;
          assert.equal(latestInstant(MOMENT_US, nodes), expected);
          seen[expected === null ? 'none' : expected === MOMENT_US ? 'moment' : 'earlier']++;
        },
      ),
      { numRuns: 60 },
    );
    assert(seen.moment > 0 && seen.earlier > 0, JSON.stringify(seen));
  });
});
