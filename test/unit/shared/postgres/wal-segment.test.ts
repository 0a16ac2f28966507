import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn, parseLsn } from '../../../../shared/postgres/lsn.ts';
import { parseSegmentName, segmentEnd, segmentName, segmentStart } from '../../../../shared/postgres/wal-segment.ts';

const MIB = 1024 * 1024;

describe('WAL segments', () => {
  it('are named as PostgreSQL names them', () => {
    // SELECT pg_walfile_name('16/B374D848') on timeline 1 with 16 MiB segments
    assert.equal(segmentName(1, parseLsn('16/B374D848'), 16 * MIB), '0000000100000016000000B3');
    assert.equal(segmentName(1, parseLsn('0/1500000'), MIB), '000000010000000000000015');
    assert.equal(segmentName(0x1f, parseLsn('FFFFFFFF/FFFFFFFF'), 1024 * MIB), '0000001FFFFFFFFF00000003');
  });

  it('contain their first byte and not the one after their last', () => {
    assert.equal(segmentStart(parseLsn('0/1500000'), MIB), parseLsn('0/1500000'));
    assert.equal(segmentEnd(parseLsn('0/1500000'), MIB), parseLsn('0/1600000'));
    assert.equal(segmentStart(parseLsn('0/15FFFFF'), MIB), parseLsn('0/1500000'));
  });

  it('are found again by their names', () => {
    const sizes = fc.integer({ min: 0, max: 10 }).map((power) => MIB * 2 ** power);
    const timelines = fc.integer({ min: 1, max: 0xffff_ffff });
    fc.assert(
      fc.property(timelines, fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }), sizes, (timeline, position, size) => {
        const at = lsn(position);
        assert.deepEqual(parseSegmentName(segmentName(timeline, at, size), size), {
          timeline,
          startLsn: segmentStart(at, size),
        });
      }),
    );
  });

  it('are not seen in other names', () => {
    for (const name of [
      '',
      '00000001000000000000001',
      '0000000100000000000000150',
      '00000001000000000000001g',
      '000000010000000000000015.partial',
      '000000000000000000000015',
      '000000010000000000000100',
    ]) {
      assert.equal(parseSegmentName(name, 16 * MIB), null, name);
    }
  });

  it('have a size that is a power of two', () => {
    for (const size of [0, MIB - 1, 3 * MIB, 512 * 1024, 2048 * MIB, 1.5]) {
      assert.throws(() => segmentStart(lsn(0n), size), { code: 'TM-WAL-002' });
    }
  });
});
