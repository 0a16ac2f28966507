import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import { parseSegmentName, segmentEnd } from '../postgres/wal-segment.ts';
import type { FrameDecompressor } from '../repository/backup-manifest-file.ts';
import { readObject } from '../repository/read-object.ts';
import type { WalObject } from '../repository/repository-contents.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import { decodeChangedBlocks } from '../wal-index/changed-blocks-codec.ts';
import { decodeClocks } from '../wal-index/clock-reading-codec.ts';
import { JournalDecoder } from '../wal-index/journal-decoder.ts';
import type { JournalEntry } from '../wal-index/journal-entry.ts';
import { decodeSegmentIndex, type SegmentFrame, type SegmentIndex } from '../wal-index/segment-index.ts';
import { decodeEvents } from '../wal-index/transaction-event-codec.ts';

const INDEX_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Reads a file of WAL again as a whole: every checksum, every frame's content, the order of the frames, and of a finished segment
 * its index.
 * @returns what is wrong, in words
 */
export async function verifyWalObject(
  repository: ReadableRepository,
  object: WalObject,
  zstd: FrameDecompressor,
): Promise<string[]> {
  const problems: string[] = [];
  const frames: SegmentFrame[] = [];
  const decoder = new JournalDecoder();
  let fileBytes = 0;
  let startLsn: Lsn | null = null;
  let endLsn: Lsn | null = null;
  let segmentBytes = 0;
  for await (const chunk of repository.read(object.path)) {
    fileBytes += chunk.length;
    for (const { entry, offsetBytes, entryBytes } of decoder.push(chunk)) {
      problems.push(...checkOrder(object, entry, endLsn));
      await checkContent(entry, zstd, problems);
      frames.push({
        startLsn: entry.startLsn,
        contentBytes: Number(entry.endLsn - entry.startLsn),
        offsetBytes: offsetBytes + entryBytes - entry.frame.length,
        frameBytes: entry.frame.length,
        contentSha256: entry.contentSha256,
      });
      decodeEvents(entry.events);
      decodeClocks(entry.clocks);
      if (entry.changedBlocks.length > 0) decodeChangedBlocks(entry.changedBlocks);
      startLsn ??= entry.startLsn;
      endLsn = entry.endLsn;
      segmentBytes = entry.segmentBytes;
    }
  }
  const end = decoder.end();
  // A file that grows may end in the middle of an entry: what was not acknowledged yet.
  if (end.kind === 'corrupt' || (end.kind === 'torn' && object.finished)) {
    problems.push(`at byte ${end.validBytes}: ${end.problem}`);
  }
  if (object.finished) {
    problems.push(...checkCovers(object, startLsn, endLsn, segmentBytes));
    if (problems.length === 0) {
      problems.push(...(await checkIndex(repository, object, { frames, objectBytes: fileBytes })));
    }
  }
  return problems;
}

async function checkContent(entry: JournalEntry, zstd: FrameDecompressor, problems: string[]): Promise<void> {
  try {
    const content = await zstd.decompress(entry.frame, Number(entry.endLsn - entry.startLsn));
    if (!createHash('sha256').update(content).digest().equals(entry.contentSha256)) {
      problems.push(`the WAL at ${formatLsn(entry.startLsn)} has other bytes than its hash`);
    }
  } catch (error) {
    problems.push(`the WAL at ${formatLsn(entry.startLsn)} cannot be decompressed: ${(error as Error).message}`);
  }
}

function checkOrder(object: WalObject, entry: JournalEntry, endLsn: Lsn | null): string[] {
  const name = parseSegmentName(object.segment, entry.segmentBytes);
  if (name === null || name.timeline !== entry.timeline || entry.timeline !== object.stream.timeline) {
    return [`it holds WAL of timeline ${entry.timeline}`];
  }
  if (entry.startLsn < name.startLsn || entry.endLsn > segmentEnd(name.startLsn, entry.segmentBytes)) {
    return [`it holds WAL from ${formatLsn(entry.startLsn)} on, which is not of this segment`];
  }
  return endLsn !== null && entry.startLsn !== endLsn
    ? [`WAL from ${formatLsn(endLsn)} to ${formatLsn(entry.startLsn)} is missing in it`]
    : [];
}

function checkCovers(object: WalObject, startLsn: Lsn | null, endLsn: Lsn | null, segmentBytes: number): string[] {
  if (startLsn === null || endLsn === null) {
    return ['it holds no WAL'];
  }
  const name = parseSegmentName(object.segment, segmentBytes);
  const whole = name !== null && startLsn === name.startLsn && endLsn === segmentEnd(name.startLsn, segmentBytes);
  return whole
    ? []
    : [`it holds WAL from ${formatLsn(startLsn)} to ${formatLsn(endLsn)}, which is not the whole segment`];
}

async function checkIndex(
  repository: ReadableRepository,
  object: WalObject,
  actual: Pick<SegmentIndex, 'frames' | 'objectBytes'>,
): Promise<string[]> {
  if (!object.indexed) {
    return [];
  }
  const path = `${object.path.slice(0, -'zst'.length)}idx`;
  try {
    const index = decodeSegmentIndex(await readObject(repository, path, INDEX_BYTES_MAX), path);
    return [
      ...(index.objectBytes === actual.objectBytes ? [] : [`its index speaks of ${index.objectBytes} bytes`]),
      ...(isDeepStrictEqual(index.frames, actual.frames) ? [] : ['its frames are not those that its index names']),
    ];
  } catch (error) {
    if (error instanceof TidemarkError) {
      return [error.message];
    }
    throw error;
  }
}
