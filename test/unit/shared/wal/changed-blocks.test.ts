import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ChangedBlockCollector } from '../../../../shared/wal/changed-block-collector.ts';
import { joinChangedBlocks, NO_CHANGED_BLOCKS } from '../../../../shared/wal/changed-blocks.ts';
import { blockSteps, gather, isChanged, mentioned, names } from '../../../support/arbitrary-changed-blocks.ts';

describe('changed blocks', () => {
  it('are those that were named, and behind a limit all', () => {
    fc.assert(
      fc.property(blockSteps, (steps) => {
        const changed = gather(new ChangedBlockCollector(), steps);
        for (const [file, block] of mentioned(steps)) {
          if (file[3] !== 1) assert.equal(names(changed, file, block), isChanged(steps, file, block));
        }
      }),
    );
  });

  it('of two runs are those of the whole, in any order and as often as one likes', () => {
    fc.assert(
      fc.property(blockSteps, blockSteps, (first, second) => {
        const collector = new ChangedBlockCollector();
        const [a, b] = [gather(collector, first), gather(collector, second)];
        const whole = gather(new ChangedBlockCollector(), [...first, ...second]);
        assert.deepEqual(joinChangedBlocks(a, b), whole);
        assert.deepEqual(joinChangedBlocks(b, a), whole);
        assert.deepEqual(joinChangedBlocks(whole, a), whole);
        assert.deepEqual(joinChangedBlocks(NO_CHANGED_BLOCKS, a), a);
      }),
    );
  });
});
