import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { joinLsnRanges, missingFrom, type LsnRange } from '../../../../shared/wal/lsn-range.ts';

const ranges = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 12 }))
    .map(([start, length]): LsnRange => ({ startLsn: lsn(BigInt(start)), endLsn: lsn(BigInt(start + length)) })),
  { maxLength: 6 },
);

function bytesOf(list: readonly LsnRange[]): Set<bigint> {
  const bytes = new Set<bigint>();
  for (const { startLsn, endLsn } of list) for (let at: bigint = startLsn; at < endLsn; at++) bytes.add(at);
  return bytes;
}

describe('ranges of WAL', () => {
  it('that are missing are the bytes that are wanted and not held, in order and apart', () => {
    fc.assert(
      fc.property(ranges, ranges, (wanted, held) => {
        const missing = missingFrom(wanted, held);
        const heldBytes = bytesOf(held);
        const expected = [...bytesOf(wanted)].filter((byte) => !heldBytes.has(byte)).sort((a, b) => Number(a - b));
        assert.deepEqual([...bytesOf(missing)], expected);
        assert.deepEqual(joinLsnRanges(missing), missing);
      }),
    );
  });
});
