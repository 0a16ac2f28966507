import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, type Lsn } from './lsn.ts';

/**
 * Segments: the files that PostgreSQL keeps WAL in. All of one system have one size, a power of two from 1 MiB to 1 GiB.
 * Source: src/include/access/xlog_internal.h.
 */

const SEGMENT_BYTES_MIN = 1024 * 1024;
const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024;
const LOG_FILE_BYTES = 0x1_0000_0000n;
const NAME = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;

/** Whether a WAL segment can have this size. */
export function isSegmentSize(segmentBytes: number): boolean {
  return (
    Number.isInteger(segmentBytes) &&
    segmentBytes >= SEGMENT_BYTES_MIN &&
    segmentBytes <= SEGMENT_BYTES_MAX &&
    (segmentBytes & (segmentBytes - 1)) === 0
  );
}

/** @throws TidemarkError TM-WAL-002 unless a WAL segment can have this size */
export function checkSegmentBytes(segmentBytes: number): number {
  if (!isSegmentSize(segmentBytes)) {
    throw new TidemarkError('TM-WAL-002', `${segmentBytes} bytes is not the size of a WAL segment`, {
      hint: 'It is a power of two from 1 MiB to 1 GiB; see SHOW wal_segment_size.',
    });
  }
  return segmentBytes;
}

/** First position of the segment that holds the byte at `position`. */
export function segmentStart(position: Lsn, segmentBytes: number): Lsn {
  const size = BigInt(checkSegmentBytes(segmentBytes));
  return lsn(position - (position % size));
}

/** One past the last position of the segment that holds the byte at `position`. */
export function segmentEnd(position: Lsn, segmentBytes: number): Lsn {
  return lsn(segmentStart(position, segmentBytes) + BigInt(segmentBytes));
}

/** PostgreSQL's 24-digit file name of the segment that holds the byte at `position`. */
export function segmentName(timeline: number, position: Lsn, segmentBytes: number): string {
  const start = segmentStart(position, segmentBytes);
  const log = start / LOG_FILE_BYTES;
  const segment = (start % LOG_FILE_BYTES) / BigInt(segmentBytes);
  return [BigInt(timeline), log, segment].map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
}

/** A segment as its file name tells it. */
export interface SegmentFile {
  readonly timeline: number;
  readonly startLsn: Lsn;
}

/** Null if the text is not the name of a complete segment of that size (a `.partial` one is not). */
export function parseSegmentName(name: string, segmentBytes: number): SegmentFile | null {
  const size = BigInt(checkSegmentBytes(segmentBytes));
  const match = NAME.exec(name);
  if (match === null) return null;
  const timeline = Number.parseInt(match[1] ?? '', 16);
  const log = BigInt(`0x${match[2]}`);
  const segment = BigInt(`0x${match[3]}`);
  if (timeline === 0 || segment >= LOG_FILE_BYTES / size) return null;
  return { timeline, startLsn: lsn(log * LOG_FILE_BYTES + segment * size) };
}
