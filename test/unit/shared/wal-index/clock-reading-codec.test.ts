import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { CLOCK_READINGS_MAX, thinClocks, type ClockReading } from '../../../../shared/wal/clock-reading.ts';
import { decodeClocks, encodeClocks } from '../../../../shared/wal-index/clock-reading-codec.ts';
import { clockReadings } from '../../../support/arbitrary-clocks.ts';

describe('clock readings', () => {
  it('are given back as they were encoded', () => {
    fc.assert(
      fc.property(clockReadings, (readings) => {
        assert.deepEqual(decodeClocks(encodeClocks(readings)), readings);
      }),
    );
    assert.equal(encodeClocks([]).length, 0);
  });

  it('are refused where they are cut off, of another version or too many', () => {
    const reading = { atLsn: lsn(1n), nodeTimeUs: 2n, offsetUs: -3n, uncertaintyUs: 4n, coordinatorId: 'c', term: 5n };
    const bytes = encodeClocks([reading]);
    for (let length = 1; length < bytes.length; length++) {
      assert.throws(() => decodeClocks(bytes.subarray(0, length)), { code: 'TM-REPO-003' });
    }
    assert.throws(() => decodeClocks(Buffer.concat([bytes, Buffer.of(0)])), { code: 'TM-REPO-003' });
    assert.throws(() => decodeClocks(Buffer.concat([Buffer.of(2), bytes.subarray(1)])), { code: 'TM-REPO-008' });
    const many = encodeClocks(Array.from({ length: CLOCK_READINGS_MAX + 1 }, () => reading));
    assert.throws(() => decodeClocks(many), { code: 'TM-REPO-003' });
  });

  it('are thinned to the least uncertain of neighbours, in order', () => {
    const readings = Array.from({ length: 1000 }, (_, index): ClockReading => ({
      atLsn: lsn(BigInt(index)),
      nodeTimeUs: BigInt(index),
      offsetUs: 0n,
      uncertaintyUs: BigInt((index * 37) % 100),
      coordinatorId: 'c',
      term: 1n,
    }));
    const kept = thinClocks(readings);
    assert.equal(kept.length, CLOCK_READINGS_MAX);
    assert.ok(kept.every((reading, index) => index === 0 || reading.atLsn > (kept[index - 1]?.atLsn ?? 0n)));
    assert.ok(kept.every(({ uncertaintyUs }) => uncertaintyUs < 20n));
    assert.deepEqual(thinClocks(readings.slice(0, CLOCK_READINGS_MAX)), readings.slice(0, CLOCK_READINGS_MAX));
  });
});
