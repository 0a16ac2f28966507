import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, type Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent, TransactionEventKind } from '../wal/transaction-event.ts';
import { ByteReader, ByteWriter } from './byte-codec.ts';

/**
 * The form in which transaction events travel in change sets and lie in journals and segment indexes: a version byte, their number,
 * then the events. Each begins with a byte that says which form it has. Numbers are of variable length; `±` are zigzag-mapped differences.
 *
 * Long form, for any event:
 * ```
 * head   bits 0-3 kind, 4 has a GID, 5 has subtransactions, 6 seeded, 7 clear
 * ±      lsn, from that of the event before (the first from 0)
 * ±      endLsn - lsn
 * ±      lsn - previousLsn
 * ±      xid, from that of the event before
 * number databaseOid
 * ±      timeUs, from that of the event before
 * text   the GID, if it has one
 * list   of the subtransactions, if it has some: their number, then each xid from the one before, the first from xid
 * ```
 * Short form, for a commit or abort with neither GID nor subtransactions, not seeded, and not before the last event: 3 or 4 bytes, as
 * what mostly stays the same is left out.
 * ```
 * head   bits 0-2 xid from that of the event before, plus 3 (0: it is written), 3 previousLsn is written, 4 endLsn is written,
 *        5 databaseOid is written, 6 abort, 7 set
 * number lsn from that of the event before, in eighths: records are aligned
 * ±      endLsn - lsn, if written; else as in the last event of this form (at first 0)
 * ±      lsn - previousLsn, if written; else as in the last event of this form (at first 0)
 * ±      xid from that of the event before, if written
 * number databaseOid, if written; else as in the last event of this form (at first 0)
 * ±      timeUs, from that of the event before
 * ```
 * Versions 1 and 2 have the long form only, and 1 the first five kinds.
 */
export const EVENTS_VERSION = 3;
export const EVENTS_VERSION_FIRST = 1;

/** The number of a kind is its place here: new kinds go to the end, with a new version. */
export const EVENT_KINDS = [
  'commit',
  'abort',
  'prepare',
  'commit-prepared',
  'rollback-prepared',
  'decision-row',
  'restart',
  'beginning',
] as const satisfies readonly TransactionEventKind[];

/** What the first byte of an event in the long form says. */
export const EVENT_BITS = { kind: 0x0f, hasGid: 0x10, hasSubxids: 0x20, seeded: 0x40 } as const;
const KIND_BITS = EVENT_BITS.kind;
const HAS_GID = EVENT_BITS.hasGid;
const HAS_SUBXIDS = EVENT_BITS.hasSubxids;
const SEEDED = EVENT_BITS.seeded;

/** What the first byte of an event in the short form says; `isShort` tells it from the long one. */
export const SHORT_BITS = { isShort: 0x80, abort: 0x40, database: 0x20, end: 0x10, previous: 0x08, xid: 0x07 } as const;
/** What is added to a difference of xids in the first byte. */
export const SHORT_XID_BIAS = 3;
/** Records begin at multiples of it. */
export const RECORD_ALIGNMENT_BYTES = 8;
const ALIGNMENT = BigInt(RECORD_ALIGNMENT_BYTES);

const UINT32_MAX = 0xffff_ffff;

/** What the differences of the next event are from. */
interface Before {
  lsn: bigint;
  timeUs: bigint;
  xid: number;
  /** Of the last event in the short form. */
  readonly short: { endDistance: bigint; previousDistance: bigint; databaseOid: number };
}

function nothingBefore(): Before {
  return { lsn: 0n, timeUs: 0n, xid: 0, short: { endDistance: 0n, previousDistance: 0n, databaseOid: 0 } };
}

function goOn(before: Before, event: TransactionEvent): void {
  before.lsn = event.lsn;
  before.timeUs = event.timeUs;
  before.xid = event.xid;
}

/** Encodes events; {@link decodeEvents} gives back equal ones. An empty list is an empty buffer. */
export function encodeEvents(events: readonly TransactionEvent[]): Buffer {
  if (events.length === 0) return Buffer.alloc(0);
  const writer = new ByteWriter();
  writer.byte(EVENTS_VERSION);
  writer.unsigned(events.length);
  const before = nothingBefore();
  for (const event of events) {
    if (isShort(event, before)) encodeShort(writer, event, before);
    else encodeLong(writer, event, before);
    goOn(before, event);
  }
  return writer.finish();
}

function isShort(event: TransactionEvent, before: Before): boolean {
  return (
    (event.kind === 'commit' || event.kind === 'abort') &&
    event.gid === undefined &&
    event.subxids.length === 0 &&
    event.seeded !== true &&
    event.lsn >= before.lsn &&
    (event.lsn - before.lsn) % ALIGNMENT === 0n
  );
}

function encodeShort(writer: ByteWriter, event: TransactionEvent, before: Before): void {
  const { short } = before;
  const endDistance = BigInt.asIntN(64, event.endLsn - event.lsn);
  const previousDistance = BigInt.asIntN(64, event.lsn - event.previousLsn);
  const code = event.xid - before.xid + SHORT_XID_BIAS;
  const xid = code > 0 && code <= SHORT_BITS.xid ? code : 0;
  const end = endDistance === short.endDistance ? 0 : SHORT_BITS.end;
  const previous = previousDistance === short.previousDistance ? 0 : SHORT_BITS.previous;
  const database = event.databaseOid === short.databaseOid ? 0 : SHORT_BITS.database;
  const abort = event.kind === 'abort' ? SHORT_BITS.abort : 0;
  writer.byte(SHORT_BITS.isShort | abort | database | end | previous | xid);
  writer.unsigned64((event.lsn - before.lsn) / ALIGNMENT);
  if (end !== 0) writer.signed64(endDistance);
  if (previous !== 0) writer.signed64(previousDistance);
  if (xid === 0) writer.signed64(BigInt(event.xid - before.xid));
  if (database !== 0) writer.unsigned(event.databaseOid);
  writer.signed64(event.timeUs - before.timeUs);
  short.endDistance = endDistance;
  short.previousDistance = previousDistance;
  short.databaseOid = event.databaseOid;
}

function encodeLong(writer: ByteWriter, event: TransactionEvent, before: Before): void {
  const flags =
    (event.gid === undefined ? 0 : HAS_GID) |
    (event.subxids.length === 0 ? 0 : HAS_SUBXIDS) |
    (event.seeded === true ? SEEDED : 0);
  writer.byte(EVENT_KINDS.indexOf(event.kind) | flags);
  writer.signed64(event.lsn - before.lsn);
  writer.signed64(event.endLsn - event.lsn);
  writer.signed64(event.lsn - event.previousLsn);
  writer.signed64(BigInt(event.xid - before.xid));
  writer.unsigned(event.databaseOid);
  writer.signed64(event.timeUs - before.timeUs);
  if (event.gid !== undefined) writer.text(event.gid);
  if (event.subxids.length === 0) return;
  writer.unsigned(event.subxids.length);
  let last = event.xid;
  for (const subxid of event.subxids) {
    writer.signed64(BigInt(subxid - last));
    last = subxid;
  }
}

/**
 * Decodes what {@link encodeEvents} gave.
 * @throws TidemarkError TM-REPO-003 if the bytes are not that, TM-REPO-008 for a version that is not known
 */
export function decodeEvents(buffer: Buffer): TransactionEvent[] {
  if (buffer.length === 0) return [];
  const reader = new ByteReader(buffer, 'transaction events');
  const version = reader.byte();
  if (version < EVENTS_VERSION_FIRST || version > EVENTS_VERSION) {
    throw new TidemarkError(
      'TM-REPO-008',
      `transaction events have version ${version}, this program knows ${EVENTS_VERSION}`,
    );
  }
  const count = reader.count();
  const events: TransactionEvent[] = [];
  const before = nothingBefore();
  for (let index = 0; index < count; index++) {
    const head = reader.byte();
    const event =
      (head & SHORT_BITS.isShort) === 0 ? decodeLong(reader, head, before) : decodeShort(reader, head, before);
    events.push(event);
    goOn(before, event);
  }
  reader.end();
  return events;
}

function decodeShort(reader: ByteReader, head: number, before: Before): TransactionEvent {
  const { short } = before;
  const start = position(before.lsn + reader.unsigned64() * ALIGNMENT);
  if ((head & SHORT_BITS.end) !== 0) short.endDistance = reader.signed64();
  if ((head & SHORT_BITS.previous) !== 0) short.previousDistance = reader.signed64();
  const code = head & SHORT_BITS.xid;
  const step = code === 0 ? reader.signed64() : BigInt(code - SHORT_XID_BIAS);
  const xid = xidOf(reader, BigInt(before.xid) + step);
  if ((head & SHORT_BITS.database) !== 0) short.databaseOid = reader.unsignedUpTo(UINT32_MAX);
  return {
    kind: (head & SHORT_BITS.abort) === 0 ? 'commit' : 'abort',
    lsn: start,
    endLsn: position(start + short.endDistance),
    previousLsn: position(start - short.previousDistance),
    xid,
    databaseOid: short.databaseOid,
    timeUs: BigInt.asIntN(64, before.timeUs + reader.signed64()),
    subxids: [],
  };
}

function decodeLong(reader: ByteReader, head: number, before: Before): TransactionEvent {
  const kind = EVENT_KINDS[head & KIND_BITS];
  if (kind === undefined) throw reader.damaged('an unknown kind of event');
  const start = position(before.lsn + reader.signed64());
  const endLsn = position(start + reader.signed64());
  const previousLsn = position(start - reader.signed64());
  const xid = xidOf(reader, BigInt(before.xid) + reader.signed64());
  const databaseOid = reader.unsignedUpTo(UINT32_MAX);
  const timeUs = BigInt.asIntN(64, before.timeUs + reader.signed64());
  const gid = (head & HAS_GID) === 0 ? undefined : reader.text();
  const subxids: number[] = [];
  if ((head & HAS_SUBXIDS) !== 0) {
    let last = xid;
    for (let count = reader.count(); count > 0; count--) {
      last = xidOf(reader, BigInt(last) + reader.signed64());
      subxids.push(last);
    }
  }
  return {
    kind,
    lsn: start,
    endLsn,
    previousLsn,
    xid,
    databaseOid,
    ...(gid === undefined ? {} : { gid }),
    timeUs,
    subxids,
    ...((head & SEEDED) === 0 ? {} : { seeded: true }),
  };
}

function position(value: bigint): Lsn {
  return lsn(BigInt.asUintN(64, value));
}

function xidOf(reader: ByteReader, value: bigint): number {
  if (value < 0n || value > BigInt(UINT32_MAX)) throw reader.damaged(`${value} is not a transaction's number`);
  return Number(value);
}
