import assert from 'node:assert/strict';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { ChangedBlockCollector } from '../../../../shared/wal/changed-block-collector.ts';
import { changedBlocksBetween, type BlockRun } from '../../../../shared/wal-index/changed-blocks-between.ts';
import { encodeChangedBlocks } from '../../../../shared/wal-index/changed-blocks-codec.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';

const MAP_BLOCK = 32_672;

function run(start: number, end: number, gather: (collector: ChangedBlockCollector) => void): BlockRun {
  const collector = new ChangedBlockCollector();
  gather(collector);
  return {
    startLsn: lsn(BigInt(start)),
    endLsn: lsn(BigInt(end)),
    changedBlocks: encodeChangedBlocks(collector.take()),
  };
}

const block = (number: number) => (collector: ChangedBlockCollector) => collector.block(1663, 5, 100, 0, number);
const runs = [run(0, 10, block(1)), run(10, 20, block(2)), run(20, 30, block(3)), run(30, 40, block(4))];

async function blocks(fromLsn: number, toLsn: number, of: readonly BlockRun[] = runs): Promise<string[]> {
  const { forks } = await changedBlocksBetween(of, lsn(BigInt(fromLsn)), lsn(BigInt(toLsn)));
  return forks.map(({ fork, ranges, limitBlock }) =>
    [fork, ...ranges, ...(limitBlock === 0xffff_ffff ? [] : [`limit ${limitBlock}`])].join(' '),
  );
}

describe('changedBlocksBetween', () => {
  it('takes every run that the range touches, and adds the maps', async () => {
    assert.deepEqual(await blocks(10, 30), ['0 2 4', '2 0 1']);
    assert.deepEqual(await blocks(19, 21), ['0 2 4', '2 0 1']);
    assert.deepEqual(await blocks(20, 20), []);
    assert.deepEqual(await blocks(0, 40), ['0 1 5', '2 0 1']);
  });

  it('refuses where something is not known', async () => {
    const [first, second, third] = runs as [BlockRun, BlockRun, BlockRun];
    await rejectsWithCode(blocks(0, 41), 'TM-WAL-003');
    await rejectsWithCode(blocks(0, 30, [first, third]), 'TM-WAL-003');
    await rejectsWithCode(blocks(0, 30, [second, third]), 'TM-WAL-003');
    await rejectsWithCode(blocks(0, 20, [first, { ...second, changedBlocks: Buffer.alloc(0) }]), 'TM-WAL-003');
    await rejectsWithCode(blocks(0, 10, [{ ...first, changedBlocks: Buffer.of(1, 2) }]), 'TM-REPO-003');
  });

  it('finds the blocks of visibility maps, also behind the first and behind a limit', async () => {
    const wide = run(0, 10, (collector) => {
      for (const number of [5, MAP_BLOCK - 1, MAP_BLOCK, 5 * MAP_BLOCK]) collector.block(1663, 5, 100, 0, number);
    });
    assert.deepEqual((await blocks(0, 10, [wide])).at(-1), '2 0 2 5 6');
    const shortened = run(0, 10, (collector) => {
      collector.block(1663, 5, 100, 0, 7);
      collector.limit(1663, 5, 100, 0, 3 * MAP_BLOCK + 1);
    });
    assert.deepEqual((await blocks(0, 10, [shortened])).at(-1), '2 0 1 limit 3');
  });
});
