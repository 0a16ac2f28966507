import { assert } from '../errors/assert.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { advanceLsn, formatLsn, lsn, type Lsn } from '../postgres/lsn.ts';
import { isSegmentSize } from '../postgres/wal-segment.ts';
import { FRAME_CONTENT_BYTES_MAX, type WalStreamKey } from '../wal/change-set.ts';
import { CLOCK_READINGS_MAX, type ClockReading } from '../wal/clock-reading.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { ByteReader, ByteWriter } from './byte-codec.ts';
import { decodeClocks, encodeClocks } from './clock-reading-codec.ts';
import { OPTIONAL_SECTION_MIN, decodeSections, encodeSections, peekSection, type Section } from './sections.ts';
import { decodeEvents, encodeEvents } from './transaction-event-codec.ts';

/** One data frame of a finished segment. */
export interface SegmentFrame {
  /** First byte of WAL in it. */
  readonly startLsn: Lsn;
  readonly contentBytes: number;
  /** Where the frame lies in the object; what lies between frames is skippable. */
  readonly offsetBytes: number;
  readonly frameBytes: number;
  /** Of the content, 32 bytes. */
  readonly contentSha256: Buffer;
}

/**
 * What is known of a finished segment without reading it: enough to find every transaction event of the segment, to read any
 * range of it, and to check it. The frames cover the segment without a gap, in order.
 */
export interface SegmentIndex {
  readonly stream: WalStreamKey;
  /** First byte of the segment. */
  readonly startLsn: Lsn;
  readonly segmentBytes: number;
  /** The object that holds the frames. */
  readonly objectBytes: number;
  /** Start of the first record that does not end in this segment or before it. */
  readonly nextRecordLsn: Lsn;
  /** Start of the last record that ends in this segment or before it; NO_LSN if none is known. */
  readonly lastRecordLsn: Lsn;
  readonly frames: readonly SegmentFrame[];
  /** Of the records that end in this segment, in order. */
  readonly events: readonly TransactionEvent[];
  /** The PREPAREs (seeded ones too) and decision rows whose transactions were unfinished at the segment's start. */
  readonly openBranches: readonly TransactionEvent[];
  /** The blocks that records change which end in this segment, in their compact form; empty if that is not known. */
  readonly changedBlocks: Buffer;
  /** What the leader measured of the node's clock while the segment came in, in order; at most {@link CLOCK_READINGS_MAX}. */
  readonly clocks: readonly ClockReading[];
}

const MAGIC = 'TMWALIDX';
const VERSION = 2;
/** Numbers of the sections, in their order in the file. */
const SEGMENT = 1;
const FRAMES = 2;
const EVENTS = 3;
const OPEN_BRANCHES = 4;
const CHANGED_BLOCKS = OPTIONAL_SECTION_MIN + 1;
const CLOCKS = OPTIONAL_SECTION_MIN + 2;
const SHA256_BYTES = 32;

export function encodeSegmentIndex(index: SegmentIndex): Buffer {
  const problem = problemOf(index);
  assert(problem === null, `a segment's index must be readable: ${problem}`);
  return encodeSections(MAGIC, VERSION, [
    { number: SEGMENT, content: encodeSegment(index) },
    { number: FRAMES, content: encodeFrames(index.frames) },
    { number: EVENTS, content: encodeEvents(index.events) },
    { number: OPEN_BRANCHES, content: encodeEvents(index.openBranches) },
    ...unlessEmpty(CHANGED_BLOCKS, index.changedBlocks),
    ...unlessEmpty(CLOCKS, encodeClocks(index.clocks)),
  ]);
}

/**
 * @param what names the index in messages, for example its path
 * @throws TidemarkError TM-REPO-003 if the bytes are damaged or contradict each other, TM-REPO-008 for a version that is not known
 */
export function decodeSegmentIndex(bytes: Buffer, what = 'a segment index'): SegmentIndex {
  const required = [SEGMENT, FRAMES, EVENTS, OPEN_BRANCHES];
  const { known, optional } = decodeSections(bytes, MAGIC, VERSION, required, [CHANGED_BLOCKS, CLOCKS], what);
  const [segmentBytes, frameBytes, eventBytes, branchBytes] = known as [Buffer, Buffer, Buffer, Buffer];
  const segment = decodeSegment(new ByteReader(segmentBytes, what));
  const index: SegmentIndex = {
    ...segment,
    frames: decodeFrames(new ByteReader(frameBytes, what), segment.startLsn),
    events: decodeEvents(eventBytes),
    openBranches: decodeEvents(branchBytes),
    changedBlocks: optional.get(CHANGED_BLOCKS) ?? Buffer.alloc(0),
    clocks: decodeClocks(optional.get(CLOCKS) ?? Buffer.alloc(0)),
  };
  const problem = problemOf(index);
  if (problem !== null) throw new TidemarkError('TM-REPO-003', `${what} is damaged: ${problem}`);
  return index;
}

/** What a segment's index says of its transactions, with the events as they are written: see {@link EventScan}. */
export interface SegmentEvents extends Pick<
  SegmentIndex,
  'stream' | 'startLsn' | 'segmentBytes' | 'lastRecordLsn' | 'openBranches' | 'clocks'
> {
  readonly events: Buffer;
}

/**
 * Reads what is asked for to compute a cut, and passes over the rest. Checksums are verified all the same.
 * @throws TidemarkError as {@link decodeSegmentIndex}
 */
export function decodeSegmentEvents(bytes: Buffer, what = 'a segment index'): SegmentEvents {
  const required = [SEGMENT, FRAMES, EVENTS, OPEN_BRANCHES];
  const { known, optional } = decodeSections(bytes, MAGIC, VERSION, required, [CLOCKS], what);
  const [segmentBytes, , events, branchBytes] = known as [Buffer, Buffer, Buffer, Buffer];
  return {
    ...decodeSegment(new ByteReader(segmentBytes, what)),
    events,
    openBranches: decodeEvents(branchBytes),
    clocks: decodeClocks(optional.get(CLOCKS) ?? Buffer.alloc(0)),
  };
}

/**
 * Where the transaction events begin in the first bytes of an index, unverified: enough to see about when a segment was written.
 * @returns null if they begin further on
 */
export function peekSegmentEvents(prefix: Buffer): Buffer | null {
  return peekSection(prefix, EVENTS);
}

function unlessEmpty(number: number, content: Buffer): Section[] {
  return content.length === 0 ? [] : [{ number, content }];
}

function encodeSegment(index: SegmentIndex): Buffer {
  const writer = new ByteWriter();
  writer.text(index.stream.node);
  writer.unsigned64(BigInt(index.stream.systemIdentifier));
  writer.unsigned(index.stream.timeline);
  writer.unsigned64(index.startLsn);
  writer.unsigned(index.segmentBytes);
  writer.unsigned(index.objectBytes);
  writer.unsigned64(index.nextRecordLsn);
  writer.unsigned64(index.lastRecordLsn);
  return writer.finish();
}

function decodeSegment(
  reader: ByteReader,
): Omit<SegmentIndex, 'frames' | 'events' | 'openBranches' | 'changedBlocks' | 'clocks'> {
  const segment = {
    stream: {
      node: reader.text(),
      systemIdentifier: reader.unsigned64().toString(),
      timeline: reader.unsignedUpTo(0xffff_ffff),
    },
    startLsn: lsn(reader.unsigned64()),
    segmentBytes: reader.unsigned(),
    objectBytes: reader.unsigned(),
    nextRecordLsn: lsn(reader.unsigned64()),
    lastRecordLsn: lsn(reader.unsigned64()),
  };
  reader.end();
  return segment;
}

function encodeFrames(frames: readonly SegmentFrame[]): Buffer {
  const writer = new ByteWriter();
  writer.unsigned(frames.length);
  let end = 0;
  for (const frame of frames) {
    writer.unsigned(frame.contentBytes);
    writer.unsigned(frame.offsetBytes - end);
    writer.unsigned(frame.frameBytes);
    writer.raw(frame.contentSha256);
    end = frame.offsetBytes + frame.frameBytes;
  }
  return writer.finish();
}

function decodeFrames(reader: ByteReader, segmentStart: Lsn): SegmentFrame[] {
  const frames: SegmentFrame[] = [];
  let position = segmentStart;
  let end = 0;
  for (let left = reader.count(); left > 0; left--) {
    const contentBytes = reader.unsignedUpTo(FRAME_CONTENT_BYTES_MAX);
    const offsetBytes = end + reader.unsigned();
    const frameBytes = reader.unsigned();
    const contentSha256 = Buffer.from(reader.raw(SHA256_BYTES));
    frames.push({ startLsn: position, contentBytes, offsetBytes, frameBytes, contentSha256 });
    position = advanceLsn(position, contentBytes);
    end = offsetBytes + frameBytes;
  }
  reader.end();
  return frames;
}

/** What contradicts the invariants, in words; null if nothing does. */
function problemOf(index: SegmentIndex): string | null {
  const { startLsn, segmentBytes, frames, objectBytes } = index;
  if (!isSegmentSize(segmentBytes)) return `segments of ${segmentBytes} bytes`;
  if (startLsn % BigInt(segmentBytes) !== 0n) return `no segment starts at ${formatLsn(startLsn)}`;
  if (index.stream.timeline === 0) return 'timeline 0';
  if (index.clocks.length > CLOCK_READINGS_MAX) return `${index.clocks.length} clock readings`;
  const endLsn = startLsn + BigInt(segmentBytes);
  let position: bigint = startLsn;
  let offset = 0;
  for (const frame of frames) {
    if (frame.startLsn !== position || frame.contentBytes < 1 || frame.contentBytes > FRAME_CONTENT_BYTES_MAX) {
      return `its frames do not cover ${formatLsn(lsn(position))}`;
    }
    if (frame.offsetBytes < offset || frame.frameBytes < 1) return `two frames at byte ${frame.offsetBytes}`;
    position += BigInt(frame.contentBytes);
    offset = frame.offsetBytes + frame.frameBytes;
  }
  if (position !== endLsn) return `its frames end at ${formatLsn(lsn(position))}`;
  if (offset > objectBytes) return `its frames end behind the object's ${objectBytes} bytes`;
  return problemOfEvents(index, endLsn);
}

function problemOfEvents({ startLsn, events, openBranches }: SegmentIndex, endLsn: bigint): string | null {
  let before = 0n;
  for (const event of events) {
    // A seeded branch has no record: it stands where a stream began, and before the events that were read from there.
    const inside =
      event.seeded === true
        ? event.lsn < endLsn
        : event.endLsn > startLsn && event.endLsn <= endLsn && event.lsn >= before;
    if (!inside) return `the event at ${formatLsn(event.lsn)} is not in its place`;
    if (event.seeded !== true) before = event.lsn;
  }
  const wrong = openBranches.find(({ kind, lsn }) => (kind !== 'prepare' && kind !== 'decision-row') || lsn >= endLsn);
  return wrong === undefined ? null : `nothing can be open since ${formatLsn(wrong.lsn)}`;
}
