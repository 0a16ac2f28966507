import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { isoTime, parseIsoTime } from '../../../../shared/any-time/iso-time.ts';

describe('a time in text', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000_000 }), (timeUs) => {
        assert.equal(parseIsoTime(isoTime(timeUs)), timeUs);
      }),
    );
  });

  const noon = Date.UTC(2026, 10, 22, 12) * 1000;
  const cases = [
    ['2026-11-22T12:00:00Z', noon],
    ['2026-11-22 12:00:00z', noon],
    ['2026-11-22T13:00:00+01:00', noon],
    ['2026-11-22T06:30:00.000001-05:30', noon + 1],
    ['2026-11-22T12:00:00.5Z', noon + 500_000],
    ['2026-11-22T12:00:00.1234567Z', noon + 123_456],
  ] as const;
  for (const [text, timeUs] of cases) {
    it(`is read from ${text}`, () => {
      assert.equal(parseIsoTime(text), timeUs);
    });
  }

  const refused = [
    ['2026-11-22T12:00:00', /no time zone/],
    ['2026-11-22', /is not a time/],
    ['now', /is not a time/],
    ['2026-02-30T12:00:00Z', /is no date/],
    ['2026-11-22T24:30:00Z', /is no date/],
    ['2026-11-22T12:00:00+25:00', /no such time zone/],
  ] as const;
  for (const [text, reason] of refused) {
    it(`is refused: ${text}`, () => {
      assert.throws(() => parseIsoTime(text), { code: 'TM-USAGE-001', message: reason });
    });
  }
});
