import assert from 'node:assert/strict';
import { beforePageHeader } from '../../../agent/rpc/position-sample.ts';
import { formatLsn, parseLsn } from '../../../shared/postgres/lsn.ts';

describe('a sampled position', () => {
  const SEGMENT_BYTES = 16 * 1024 * 1024;
  const cases = [
    ['0/1000028', '0/1000000', 'after the header of a segment'],
    ['0/1002018', '0/1002000', 'after the header of a page'],
    ['0/1000018', '0/1000000', 'inside the long header, where no record can be'],
    ['0/1002028', '0/1002028', 'after a first record of 16 bytes'],
    ['0/1002000', '0/1002000', 'at a page boundary'],
    ['0/1002500', '0/1002500', 'in a page'],
  ] as const;
  for (const [given, expected, where] of cases) {
    it(`is ${expected} for ${given}, ${where}`, () => {
      assert.equal(formatLsn(beforePageHeader(parseLsn(given), 8192, SEGMENT_BYTES)), expected);
    });
  }
});
