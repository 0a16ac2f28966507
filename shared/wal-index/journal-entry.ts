import { crc32 } from 'node:zlib';
import { assert } from '../errors/assert.ts';
import { NO_LSN, advanceLsn, type Lsn } from '../postgres/lsn.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../wal/change-set.ts';
import { decodeParts, encodeParts, type JournalParts } from './journal-parts.ts';

/**
 * One run of WAL as it lies in a journal file and in a finished segment: a skippable zstd frame with what is known about the
 * run, then the run's own zstd frame. `zstd -d` passes over skippable frames, so a file of entries decompresses to the WAL
 * that it holds. Every byte but the magic number of the skippable frame is covered by a checksum; the header's own lies apart, so that
 * an entry that ends too early (a torn tail) is told from one whose lengths are damaged.
 *
 * Little-endian:
 * ```
 *  0  u32  0x184D2A50                 8  u8   format version (3)       24  u64  start LSN
 *  4  u32  bytes from 8 to the end    9  u8   log2 of segment bytes    32  u64  next record LSN
 *          of the parts              10  u16  0                        40  u64  last record LSN
 *                                    12  u32  crc32 of [4,12)+[16,88)  48  u32  content bytes
 *                                    16  u32  crc32 of frame + parts   52  u32  frame bytes
 *                                    20  u32  timeline                 56  32 B SHA-256 of the content
 * 88  parts (see journal-parts.ts), then the data frame
 * ```
 */
export interface JournalEntry extends JournalParts {
  readonly segmentBytes: number;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
  readonly nextRecordLsn: Lsn;
  readonly lastRecordLsn: Lsn;
  readonly contentSha256: Buffer;
  readonly frame: Buffer;
  /** Known to be the frame's. */
  readonly frameCrc32: number;
}

/** What the fixed part of an entry says, and where the entry ends. */
export interface JournalEntryHeader extends Omit<JournalEntry, keyof JournalParts | 'frame' | 'frameCrc32'> {
  readonly partsBytes: number;
  readonly frameBytes: number;
  /** Of the whole entry. */
  readonly entryBytes: number;
  readonly bodyCrc: number;
}

export const JOURNAL_ENTRY_HEADER_BYTES = 88;

const MAGIC = 0x184d2a50;
const FORMAT_VERSION = 3;
const SEGMENT_BYTES_LOG2_MIN = 20;
const SEGMENT_BYTES_LOG2_MAX = 30;
/** A frame of incompressible content is larger than its content by zstd's block headers only. */
const FRAME_BYTES_MAX = FRAME_CONTENT_BYTES_MAX + 64 * 1024;
/** A transaction event needs fewer bytes than its record, but for the GID-less ends of prepared ones, and so do changed blocks; far above all. */
const PARTS_BYTES_MAX = 16 * 1024 * 1024;

/** The entry as two buffers to be written one after the other: header with parts, and the frame as it was given. */
export function encodeJournalEntry(entry: JournalEntry): readonly [head: Buffer, frame: Buffer] {
  const contentBytes = Number(entry.endLsn - entry.startLsn);
  const parts = encodeParts(entry);
  const head = Buffer.allocUnsafe(JOURNAL_ENTRY_HEADER_BYTES + parts.length);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(head.length - 8, 4);
  head.writeUInt8(FORMAT_VERSION, 8);
  head.writeUInt8(Math.log2(entry.segmentBytes), 9);
  head.writeUInt16LE(0, 10);
  head.writeUInt32LE(crc32(parts, entry.frameCrc32), 16);
  head.writeUInt32LE(entry.timeline, 20);
  head.writeBigUInt64LE(entry.startLsn, 24);
  head.writeBigUInt64LE(entry.nextRecordLsn, 32);
  head.writeBigUInt64LE(entry.lastRecordLsn, 40);
  head.writeUInt32LE(contentBytes, 48);
  head.writeUInt32LE(entry.frame.length, 52);
  assert(entry.contentSha256.length === 32, 'a SHA-256 has 32 bytes');
  entry.contentSha256.copy(head, 56);
  parts.copy(head, JOURNAL_ENTRY_HEADER_BYTES);
  head.writeUInt32LE(headerCrc(head), 12);
  const problem = headerProblem(head);
  assert(problem === null, `a journal entry must be readable: ${problem}`);
  return [head, entry.frame];
}

/** What is wrong with a header of {@link JOURNAL_ENTRY_HEADER_BYTES} bytes, in words; null if nothing is. */
export function headerProblem(head: Buffer): string | null {
  if (head.readUInt32LE(0) !== MAGIC) {
    return 'no entry begins here';
  }
  if (head.readUInt32LE(12) !== headerCrc(head)) {
    return "the header's checksum is wrong";
  }
  if (head.readUInt8(8) !== FORMAT_VERSION) {
    return `format version ${head.readUInt8(8)} is not known`;
  }
  const log2 = head.readUInt8(9);
  const partsBytes = head.readUInt32LE(4) + 8 - JOURNAL_ENTRY_HEADER_BYTES;
  const frameBytes = head.readUInt32LE(52);
  const contentBytes = head.readUInt32LE(48);
  const start = head.readBigUInt64LE(24);
  if (
    log2 < SEGMENT_BYTES_LOG2_MIN ||
    log2 > SEGMENT_BYTES_LOG2_MAX ||
    head.readUInt16LE(10) !== 0 ||
    partsBytes < 0 ||
    partsBytes > PARTS_BYTES_MAX ||
    frameBytes === 0 ||
    frameBytes > FRAME_BYTES_MAX ||
    contentBytes === 0 ||
    contentBytes > FRAME_CONTENT_BYTES_MAX ||
    head.readUInt32LE(20) === 0
  ) {
    return 'a number in the header is out of range';
  }
  const shift = BigInt(log2);
  if (start >> shift !== (start + BigInt(contentBytes) - 1n) >> shift) {
    return "the run crosses a segment's boundary";
  }
  return null;
}

/** Reads a header that has no problem. */
export function decodeHeader(head: Buffer): JournalEntryHeader {
  const startLsn = head.readBigUInt64LE(24) as Lsn;
  const partsBytes = head.readUInt32LE(4) + 8 - JOURNAL_ENTRY_HEADER_BYTES;
  const frameBytes = head.readUInt32LE(52);
  return {
    segmentBytes: 2 ** head.readUInt8(9),
    timeline: head.readUInt32LE(20),
    startLsn,
    endLsn: advanceLsn(startLsn, head.readUInt32LE(48)),
    nextRecordLsn: head.readBigUInt64LE(32) as Lsn,
    lastRecordLsn: head.readBigUInt64LE(40) as Lsn,
    contentSha256: Buffer.from(head.subarray(56, 88)),
    partsBytes,
    frameBytes,
    entryBytes: JOURNAL_ENTRY_HEADER_BYTES + partsBytes + frameBytes,
    bodyCrc: head.readUInt32LE(16),
  };
}

/**
 * The entry of a header and the bytes that follow it, copied; null if their checksum is wrong.
 * @throws TidemarkError TM-REPO-003 if it is right and the parts cannot be told apart all the same
 */
export function decodeBody(header: JournalEntryHeader, body: Buffer): JournalEntry | null {
  const entry = viewBody(header, body);
  return entry === null ? null : { ...entry, frame: Buffer.from(entry.frame) };
}

/** Like {@link decodeBody}, but the frame is a view of `body`. */
export function viewBody(header: JournalEntryHeader, body: Buffer): JournalEntry | null {
  assert(body.length === header.partsBytes + header.frameBytes, "the body has the header's length");
  const parts = body.subarray(0, header.partsBytes);
  const frame = body.subarray(header.partsBytes);
  const frameCrc32 = crc32(frame);
  if (crc32(parts, frameCrc32) !== header.bodyCrc) {
    return null;
  }
  const { segmentBytes, timeline, startLsn, endLsn, nextRecordLsn, lastRecordLsn, contentSha256 } = header;
  return {
    segmentBytes,
    timeline,
    startLsn,
    endLsn,
    nextRecordLsn,
    lastRecordLsn: lastRecordLsn === 0n ? NO_LSN : lastRecordLsn,
    contentSha256,
    ...decodeParts(parts),
    frame,
    frameCrc32,
  };
}

function headerCrc(head: Buffer): number {
  return crc32(head.subarray(16, JOURNAL_ENTRY_HEADER_BYTES), crc32(head.subarray(4, 12)));
}
