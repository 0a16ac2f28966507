import { crc32 } from 'node:zlib';
import { advanceLsn, lsn, NO_LSN, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { segmentName } from '../../../../shared/postgres/wal-segment.ts';
import { journalSegmentPath, walIndexPath, walSegmentPath } from '../../../../shared/repository/layout.ts';
import type { ClockReading } from '../../../../shared/wal/clock-reading.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { encodeClocks } from '../../../../shared/wal-index/clock-reading-codec.ts';
import { encodeJournalEntry } from '../../../../shared/wal-index/journal-entry.ts';
import { applyEvents, listOpen, NOTHING_OPEN } from '../../../../shared/wal-index/open-transactions.ts';
import { encodeSegmentIndex } from '../../../../shared/wal-index/segment-index.ts';
import { encodeEvents } from '../../../../shared/wal-index/transaction-event-codec.ts';

export const SEGMENT_BYTES = 1 << 20;
const ENTRY_BYTES = SEGMENT_BYTES / 4;

/** What a test says of one node's WAL on one timeline. */
export interface MadeStream {
  readonly node: string;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
  readonly events: readonly TransactionEvent[];
  /** Starts of records, in order. */
  readonly records: readonly Lsn[];
  readonly readings: readonly ClockReading[];
}

export const systemOf = (node: string) => `70${node.replace(/\D/g, '')}`;

/** Puts the indexes of the stream's whole segments and the journal of the last into a copy. Only what is not the WAL itself is there. */
export function writeStream(objects: Map<string, Buffer>, stream: MadeStream): void {
  const key = { node: stream.node, systemIdentifier: systemOf(stream.node), timeline: stream.timeline };
  let startLsn = stream.startLsn;
  let open = applyEvents(
    NOTHING_OPEN,
    stream.events.filter(({ endLsn }) => endLsn <= stream.startLsn),
  );
  for (; advanceLsn(startLsn, SEGMENT_BYTES) <= stream.endLsn; startLsn = advanceLsn(startLsn, SEGMENT_BYTES)) {
    const endLsn = advanceLsn(startLsn, SEGMENT_BYTES);
    const part = cutOut(stream, startLsn, endLsn);
    // Its bytes are not read.
    objects.set(walSegmentPath(key, segmentName(stream.timeline, startLsn, SEGMENT_BYTES)), Buffer.alloc(10));
    objects.set(
      walIndexPath(key, segmentName(stream.timeline, startLsn, SEGMENT_BYTES)),
      encodeSegmentIndex({
        stream: key,
        startLsn,
        segmentBytes: SEGMENT_BYTES,
        objectBytes: 10,
        nextRecordLsn: endLsn,
        lastRecordLsn: part.lastRecordLsn,
        frames: [
          { startLsn, contentBytes: SEGMENT_BYTES, offsetBytes: 0, frameBytes: 10, contentSha256: Buffer.alloc(32) },
        ],
        events: part.events,
        openBranches: listOpen(open),
        changedBlocks: Buffer.alloc(0),
        clocks: part.readings.slice(-64),
      }),
    );
    open = applyEvents(open, part.events);
  }
  const entries: Buffer[] = [];
  const journal = startLsn;
  while (startLsn < stream.endLsn) {
    const next = advanceLsn(startLsn, ENTRY_BYTES);
    const endLsn = next < stream.endLsn ? next : stream.endLsn;
    const part = cutOut(stream, startLsn, endLsn);
    const frame = Buffer.of(1);
    entries.push(
      ...encodeJournalEntry({
        segmentBytes: SEGMENT_BYTES,
        timeline: stream.timeline,
        startLsn,
        endLsn,
        nextRecordLsn: endLsn,
        lastRecordLsn: part.lastRecordLsn,
        contentSha256: Buffer.alloc(32),
        events: encodeEvents(part.events),
        changedBlocks: Buffer.alloc(0),
        clocks: encodeClocks(part.readings.slice(-1)),
        frame,
        frameCrc32: crc32(frame),
      }),
    );
    startLsn = endLsn;
  }
  if (entries.length > 0) {
    objects.set(journalSegmentPath(key, segmentName(stream.timeline, journal, SEGMENT_BYTES)), Buffer.concat(entries));
  }
}

function cutOut(stream: MadeStream, fromLsn: Lsn, toLsn: Lsn) {
  const inside = (position: bigint) => position > fromLsn && position <= toLsn;
  return {
    events: stream.events.filter(({ endLsn }) => inside(endLsn)),
    readings: stream.readings.filter(({ atLsn }) => inside(atLsn)),
    lastRecordLsn: stream.records.findLast((start) => lsn(start + RECORD_BYTES) <= toLsn) ?? NO_LSN,
  };
}

/** Of every record of a made stream. */
export const RECORD_BYTES = 40n;
