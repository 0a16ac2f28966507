import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  formatTimestamp,
  hybridTimestamp,
  nextTimestamp,
  parseTimestamp,
  timestampCounter,
  timestampMs,
} from '../../../../shared/timestamp/hybrid-timestamp.ts';

const MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const arbitraryTimestamp = fc
  .tuple(fc.integer({ min: 0, max: MS_MAX }), fc.integer({ min: 0, max: 0xffff }))
  .map(([ms, counter]) => hybridTimestamp(ms, counter));

describe('hybrid timestamp', () => {
  it('prints as a snapshot id', () => {
    const timestamp = hybridTimestamp(Date.UTC(2026, 10, 22, 12, 15, 30, 123), 1);
    assert.equal(formatTimestamp(timestamp), '20261122T121530123Z-0001');
  });

  it('is read back as it was printed', () => {
    fc.assert(
      fc.property(arbitraryTimestamp, (timestamp) => {
        assert.equal(parseTimestamp(formatTimestamp(timestamp)), timestamp);
        assert.equal(hybridTimestamp(timestampMs(timestamp), timestampCounter(timestamp)), timestamp);
      }),
    );
  });

  it('sorts as text as it does as a number', () => {
    fc.assert(
      fc.property(arbitraryTimestamp, arbitraryTimestamp, (a, b) => {
        assert.equal(formatTimestamp(a) < formatTimestamp(b), a < b);
      }),
    );
  });

  it('carries a full counter into the next millisecond', () => {
    assert.equal(nextTimestamp(hybridTimestamp(5, 0xffff)), hybridTimestamp(6, 0));
    assert.throws(() => nextTimestamp(hybridTimestamp(MS_MAX, 0xffff)));
  });

  it('refuses every other text', () => {
    for (const text of [
      '',
      '20261122T121530123Z',
      '20261122T121530123Z-1',
      '20261122T121530123Z-000G',
      '20261122T121530123Z-00AB',
      '20260230T121530123Z-0001',
      '20261122T241530123Z-0001',
      ' 20261122T121530123Z-0001',
      '20261122T121530123Z-0001\n',
    ]) {
      assert.throws(() => parseTimestamp(text), { code: 'TM-USAGE-001' }, JSON.stringify(text));
    }
  });
});
