import { createHash } from 'node:crypto';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn } from '../../shared/postgres/lsn.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';
import type { PlacedEntry } from '../../shared/wal-index/journal-decoder.ts';
import { encodeJournalEntry, type JournalEntry } from '../../shared/wal-index/journal-entry.ts';
import { thinClocks } from '../../shared/wal/clock-reading.ts';
import { joinEncodedBlocks } from '../../shared/wal-index/changed-blocks-codec.ts';
import { decodeClocks, encodeClocks } from '../../shared/wal-index/clock-reading-codec.ts';
import { decodeEvents, encodeEvents } from '../../shared/wal-index/transaction-event-codec.ts';
import type { FrameCodec } from './overlap.ts';

/** Keeps the threads busy without filling the pool's queue. */
const FRAMES_AT_ONCE = 16;

/** The same WAL in as few frames as it takes: neighbours are joined up to the size of a frame. Their contents are checked on the way. */
export async function* mergeFrames(
  entries: AsyncIterable<PlacedEntry>,
  zstd: FrameCodec,
): AsyncGenerator<Buffer, void> {
  let group: JournalEntry[] = [];
  let bytes = 0;
  for await (const { entry } of entries) {
    const entryBytes = Number(entry.endLsn - entry.startLsn);
    if (bytes + entryBytes > FRAME_CONTENT_BYTES_MAX) {
      yield* encodeJournalEntry(await merge(group, zstd));
      group = [];
      bytes = 0;
    }
    group.push(entry);
    bytes += entryBytes;
  }
  if (group.length > 0) yield* encodeJournalEntry(await merge(group, zstd));
}

async function merge(group: readonly JournalEntry[], zstd: FrameCodec): Promise<JournalEntry> {
  const first = group[0];
  const last = group.at(-1);
  if (first === undefined || last === undefined || first === last) return first as JournalEntry;
  const contents: Buffer[] = [];
  for (let index = 0; index < group.length; index += FRAMES_AT_ONCE) {
    const some = group.slice(index, index + FRAMES_AT_ONCE);
    contents.push(...(await Promise.all(some.map((entry) => contentOf(entry, zstd)))));
  }
  const compressed = await zstd.compress(Buffer.concat(contents));
  return {
    ...last,
    startLsn: first.startLsn,
    lastRecordLsn: group.reduce(
      (found, entry) => (entry.lastRecordLsn === 0n ? found : entry.lastRecordLsn),
      last.lastRecordLsn,
    ),
    events: encodeEvents(group.flatMap((entry) => decodeEvents(entry.events))),
    changedBlocks: joinEncodedBlocks(group.map((entry) => entry.changedBlocks)),
    clocks: encodeClocks(thinClocks(group.flatMap((entry) => decodeClocks(entry.clocks)))),
    ...compressed,
  };
}

async function contentOf(entry: JournalEntry, zstd: FrameCodec): Promise<Buffer> {
  const content = await zstd.decompress(entry.frame, Number(entry.endLsn - entry.startLsn));
  if (createHash('sha256').update(content).digest().equals(entry.contentSha256)) return content;
  throw new TidemarkError(
    'TM-REPO-003',
    `the frame of WAL at ${formatLsn(entry.startLsn)} has other bytes than its hash`,
  );
}
