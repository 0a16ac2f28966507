import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ChangedBlockCollector } from '../../../../shared/wal/changed-block-collector.ts';
import { joinChangedBlocks, NO_CHANGED_BLOCKS } from '../../../../shared/wal/changed-blocks.ts';
import {
  decodeChangedBlocks,
  encodeChangedBlocks,
  joinEncodedBlocks,
} from '../../../../shared/wal-index/changed-blocks-codec.ts';
import { blockSteps, gather } from '../../../support/arbitrary-changed-blocks.ts';
import { SeededRandom } from '../../../support/bank/seeded-random.ts';

describe('changed blocks codec', () => {
  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(blockSteps, (steps) => {
        const changed = gather(new ChangedBlockCollector(), steps);
        assert.deepEqual(decodeChangedBlocks(encodeChangedBlocks(changed)), changed);
      }),
    );
  });

  it('tells nothing changed from nothing known', () => {
    const nothing = encodeChangedBlocks(NO_CHANGED_BLOCKS);
    assert.ok(nothing.length > 0);
    assert.deepEqual(decodeChangedBlocks(nothing), NO_CHANGED_BLOCKS);
    assert.deepEqual(joinEncodedBlocks([nothing, nothing]), nothing);
    assert.equal(joinEncodedBlocks([nothing, Buffer.alloc(0), nothing]).length, 0);
    assert.throws(() => decodeChangedBlocks(Buffer.alloc(0)), { code: 'TM-REPO-003' });
  });

  it('joins what was encoded', () => {
    fc.assert(
      fc.property(fc.array(blockSteps, { maxLength: 5 }), (runs) => {
        const changed = runs.map((steps) => gather(new ChangedBlockCollector(), steps));
        assert.deepEqual(
          decodeChangedBlocks(joinEncodedBlocks(changed.map(encodeChangedBlocks))),
          changed.reduce(joinChangedBlocks, NO_CHANGED_BLOCKS),
        );
      }),
    );
  });

  it('takes about a byte for each of many blocks, and a few for many in a row', () => {
    const random = new SeededRandom(1);
    const collector = new ChangedBlockCollector();
    for (let count = 0; count < 10_000; count++) collector.block(1663, 5, 16384, 0, random.below(300_000));
    const scattered = encodeChangedBlocks(collector.take());
    assert.ok(scattered.length < 13_000, `${scattered.length} bytes`);
    for (let block = 5000; block < 100_000; block++) collector.block(1663, 5, 16384, 0, block);
    const dense = encodeChangedBlocks(collector.take());
    assert.ok(dense.length < 24, `${dense.length} bytes`);
  });

  it('refuses every truncation, trailing bytes and unknown versions', () => {
    fc.assert(
      fc.property(blockSteps, fc.nat(), (steps, cut) => {
        const bytes = encodeChangedBlocks(gather(new ChangedBlockCollector(), steps));
        const kept = cut % bytes.length;
        assert.throws(() => decodeChangedBlocks(bytes.subarray(0, kept)), { code: 'TM-REPO-003' });
        assert.throws(() => decodeChangedBlocks(Buffer.concat([bytes, Buffer.of(0)])), { code: 'TM-REPO-003' });
        assert.throws(() => decodeChangedBlocks(Buffer.concat([Buffer.of(9), bytes.subarray(1)])), {
          code: 'TM-REPO-008',
        });
      }),
    );
  });

  it('on any bytes gives what it would write, or says that they are damaged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (tail) => {
        try {
          const changed = decodeChangedBlocks(Buffer.concat([Buffer.of(1), tail]));
          assert.deepEqual(decodeChangedBlocks(encodeChangedBlocks(changed)), changed);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'TM-REPO-003', String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
