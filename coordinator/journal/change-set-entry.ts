import { crc32 } from 'node:zlib';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';
import type { JournalEntry } from '../../shared/wal-index/journal-entry.ts';
import { decodeClocks, encodeClocks } from '../../shared/wal-index/clock-reading-codec.ts';
import { decodeEvents, encodeEvents } from '../../shared/wal-index/transaction-event-codec.ts';
import { streamId } from './wal-positions.ts';

export function toJournalEntry(changeSet: ChangeSet, segmentBytes: number): JournalEntry {
  const { events, clocks, ...rest } = changeSet;
  return { ...rest, segmentBytes, events: encodeEvents(events), clocks: encodeClocks(clocks) };
}

/** @throws TidemarkError TM-REPO-003 if the events or clock readings cannot be read */
export function toChangeSet(entry: JournalEntry): ChangeSet {
  const { segmentBytes: _, events, clocks, ...rest } = entry;
  return { ...rest, events: decodeEvents(events), clocks: decodeClocks(clocks) };
}

/** For messages: `change set 0/1000000-0/1002000 of shard1/7123/1`. */
export function describe(stream: WalStreamKey, changeSet: ChangeSet): string {
  return `change set ${formatLsn(changeSet.startLsn)}-${formatLsn(changeSet.endLsn)} of ${streamId(stream)}`;
}

/**
 * Refuses what a sound agent or coordinator never sends, and what was damaged on the way, before it reaches a file.
 * @throws TidemarkError TM-WAL-002
 */
export function checkChangeSet(stream: WalStreamKey, changeSet: ChangeSet, segmentBytes: number): void {
  const { startLsn, endLsn, timeline, frame, contentSha256, frameCrc32 } = changeSet;
  const length = endLsn - startLsn;
  const problem =
    timeline !== stream.timeline
      ? `it is of timeline ${timeline}`
      : length <= 0n || length > BigInt(FRAME_CONTENT_BYTES_MAX)
        ? `it is ${length} bytes long`
        : segmentStart(startLsn, segmentBytes) !== segmentStart((endLsn - 1n) as typeof endLsn, segmentBytes)
          ? "it crosses a segment's boundary"
          : frame.length === 0 || frame.length > FRAME_CONTENT_BYTES_MAX + 64 * 1024
            ? `its frame has ${frame.length} bytes`
            : contentSha256.length !== 32
              ? 'its hash is not a SHA-256'
              : crc32(frame) === frameCrc32
                ? null
                : 'its frame is not the one that was made: the checksum differs';
  if (problem !== null) {
    throw new TidemarkError('TM-WAL-002', `${describe(stream, changeSet)} is refused: ${problem}`);
  }
}
