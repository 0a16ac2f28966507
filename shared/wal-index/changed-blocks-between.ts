import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import { BLOCKS_PER_VISIBILITY_MAP_BLOCK } from '../wal/block-gatherer.ts';
import {
  FORK,
  joinChangedBlocks,
  joinRanges,
  NO_CHANGED_BLOCKS,
  NO_LIMIT,
  type ChangedBlocks,
  type ChangedFork,
} from '../wal/changed-blocks.ts';
import { decodeChangedBlocks } from './changed-blocks-codec.ts';

/** A run of WAL and what it changes: a segment's index, or an entry of the journal that goes on behind the last one. */
export interface BlockRun {
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
  readonly changedBlocks: Buffer;
}

/**
 * What an incremental backup has to read: every block of a permanent relation that differs between a backup that starts at `fromLsn`
 * and one that starts at `toLsn` is named, by its number or by its file's limit block; except in free space maps, which are to be
 * copied whole, and in what a file was extended by with zeros: take a file's length from the file. (With data checksums or wal_log_hints;
 * without them hints may differ, which mean nothing.)
 *
 * Two things are added to what the WAL says. PostgreSQL clears bits of a visibility map when it changes a row's page, and
 * the record refers to the row's page only: with a block of the main fork goes the block of the map that tells of it, whether the
 * relation has a map or not. And a run is taken as a whole, so that records before `fromLsn` and behind `toLsn` count too.
 * @param runs in the order of the node's history, without a gap, over its timelines
 * @throws TidemarkError TM-WAL-003 if they do not cover [fromLsn, toLsn) or one says nothing of blocks: a full backup is needed; TM-REPO-003,
 * TM-REPO-008 if one cannot be read
 */
export async function changedBlocksBetween(
  runs: AsyncIterable<BlockRun> | Iterable<BlockRun>,
  fromLsn: Lsn,
  toLsn: Lsn,
): Promise<ChangedBlocks> {
  let changed = NO_CHANGED_BLOCKS;
  let position = fromLsn;
  for await (const { startLsn, endLsn, changedBlocks } of runs) {
    if (endLsn <= position) continue;
    if (position >= toLsn) break;
    if (startLsn > position || changedBlocks.length === 0) throw notKnown(position, startLsn > position);
    changed = joinChangedBlocks(changed, decodeChangedBlocks(changedBlocks));
    position = endLsn;
  }
  if (position < toLsn) throw notKnown(position, true);
  return joinChangedBlocks(changed, visibilityMapsOf(changed));
}

function notKnown(position: Lsn, missing: boolean): TidemarkError {
  const why = missing ? 'no WAL is held' : 'the WAL was taken in without its changed blocks';
  return new TidemarkError('TM-WAL-003', `which blocks changed is not known from ${formatLsn(position)} on: ${why}`, {
    hint: 'Take a full backup of the node.',
  });
}

function visibilityMapsOf({ databases, forks }: ChangedBlocks): ChangedBlocks {
  const maps = forks
    .filter(({ fork }) => fork === FORK.main)
    .map((main): ChangedFork => {
      const limitBlock = main.limitBlock === NO_LIMIT ? NO_LIMIT : mapBlock(main.limitBlock);
      let ranges: Uint32Array = new Uint32Array(0);
      for (let at = 0; at < main.ranges.length; at += 2) {
        const first = mapBlock(main.ranges[at] ?? 0);
        const end = mapBlock((main.ranges[at + 1] ?? 0) - 1) + 1;
        if (end > (ranges.at(-1) ?? 0)) ranges = joinRanges(ranges, Uint32Array.of(first, end), limitBlock);
      }
      return { ...main, fork: FORK.visibilityMap, limitBlock, ranges };
    });
  return { databases, forks: maps };
}

/** The block of a visibility map that tells of a block. */
function mapBlock(block: number): number {
  return Math.floor(block / BLOCKS_PER_VISIBILITY_MAP_BLOCK);
}
