import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import { thinClocks, type ClockReading } from '../../shared/wal/clock-reading.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import { joinEncodedBlocks } from '../../shared/wal-index/changed-blocks-codec.ts';
import { decodeClocks } from '../../shared/wal-index/clock-reading-codec.ts';
import type { SegmentFrame, SegmentIndex } from '../../shared/wal-index/segment-index.ts';
import { decodeEvents } from '../../shared/wal-index/transaction-event-codec.ts';
import { scanSegment } from './segment-scan.ts';

export interface SegmentToIndex {
  readonly stream: WalStreamKey;
  readonly startLsn: Lsn;
  readonly segmentBytes: number;
  /** The object's file. */
  readonly path: string;
  readonly openBranches: readonly TransactionEvent[];
}

/**
 * Reads a finished segment's object and says what is in it. Every byte is compared with its entry's checksum: an object that has an
 * index holds, in order and without a hole, the frames that were found to be right when they were made.
 * @throws TidemarkError TM-REPO-003 if the object is damaged or not a whole segment
 */
export function buildSegmentIndex(segment: SegmentToIndex): SegmentIndex {
  const { stream, startLsn, segmentBytes, path, openBranches } = segment;
  const frames: SegmentFrame[] = [];
  const events: TransactionEvent[] = [];
  const clocks: ClockReading[] = [];
  const changedBlocks: Buffer[] = [];
  let position: bigint = startLsn;
  let nextRecordLsn: Lsn = startLsn;
  let lastRecordLsn: Lsn = NO_LSN;
  const scan = scanSegment(path);
  let step = scan.next();
  for (; step.done !== true; step = scan.next()) {
    const { entry, offsetBytes, entryBytes } = step.value;
    if (entry.startLsn !== position) throw damaged(path, `an entry begins at ${formatLsn(entry.startLsn)}`);
    const contentBytes = Number(entry.endLsn - entry.startLsn);
    frames.push({
      startLsn: entry.startLsn,
      contentBytes,
      offsetBytes: offsetBytes + entryBytes - entry.frame.length,
      frameBytes: entry.frame.length,
      contentSha256: entry.contentSha256,
    });
    for (const event of decodeEvents(entry.events)) events.push(event);
    changedBlocks.push(entry.changedBlocks);
    clocks.push(...decodeClocks(entry.clocks));
    position = entry.endLsn;
    nextRecordLsn = entry.nextRecordLsn;
    if (entry.lastRecordLsn !== NO_LSN) lastRecordLsn = entry.lastRecordLsn;
  }
  if (position !== startLsn + BigInt(segmentBytes)) throw damaged(path, 'it is not a whole segment');
  return {
    stream,
    startLsn,
    segmentBytes,
    objectBytes: step.value,
    nextRecordLsn,
    lastRecordLsn,
    frames,
    events,
    openBranches,
    changedBlocks: joinEncodedBlocks(changedBlocks),
    clocks: thinClocks(clocks),
  };
}

function damaged(path: string, why: string): TidemarkError {
  return new TidemarkError('TM-REPO-003', `${path} is damaged: ${why}`);
}
