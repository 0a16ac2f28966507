import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, type Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent, TransactionEventKind } from '../wal/transaction-event.ts';
import { ByteReader, ByteWriter } from './byte-codec.ts';

/**
 * The form in which transaction events travel in change sets and lie in journals and segment indexes: a version byte, a count,
 * then for each event a byte of kind and flags and variable-length numbers. Positions, times and xids are
 * written as differences from the event before, so that a plain commit takes about 12 bytes.
 */
export const EVENTS_VERSION = 2;
/** Events of the first kinds only are written as this, so that programs that know no others can read them. */
export const EVENTS_VERSION_FIRST = 1;
const KINDS_FIRST = 5;

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

/** What the first byte of an event says. */
export const EVENT_BITS = { kind: 0x0f, hasGid: 0x10, hasSubxids: 0x20, seeded: 0x40 } as const;
const KIND_BITS = EVENT_BITS.kind;
const HAS_GID = EVENT_BITS.hasGid;
const HAS_SUBXIDS = EVENT_BITS.hasSubxids;
const SEEDED = EVENT_BITS.seeded;

const UINT32_MAX = 0xffff_ffff;

/** Encodes events; {@link decodeEvents} gives back equal ones. An empty list is an empty buffer. */
export function encodeEvents(events: readonly TransactionEvent[]): Buffer {
  if (events.length === 0) return Buffer.alloc(0);
  const writer = new ByteWriter();
  const first = events.every(({ kind }) => EVENT_KINDS.indexOf(kind) < KINDS_FIRST);
  writer.byte(first ? EVENTS_VERSION_FIRST : EVENTS_VERSION);
  writer.unsigned(events.length);
  let previous = { lsn: 0n, timeUs: 0n, xid: 0n };
  for (const event of events) {
    const flags =
      (event.gid === undefined ? 0 : HAS_GID) |
      (event.subxids.length === 0 ? 0 : HAS_SUBXIDS) |
      (event.seeded === true ? SEEDED : 0);
    writer.byte(EVENT_KINDS.indexOf(event.kind) | flags);
    writer.signed64(event.lsn - previous.lsn);
    writer.signed64(event.endLsn - event.lsn);
    writer.signed64(event.lsn - event.previousLsn);
    writer.signed64(BigInt(event.xid) - previous.xid);
    writer.unsigned(event.databaseOid);
    writer.signed64(event.timeUs - previous.timeUs);
    if (event.gid !== undefined) writer.text(event.gid);
    if (event.subxids.length > 0) {
      writer.unsigned(event.subxids.length);
      let before = BigInt(event.xid);
      for (const subxid of event.subxids) {
        writer.signed64(BigInt(subxid) - before);
        before = BigInt(subxid);
      }
    }
    previous = { lsn: event.lsn, timeUs: event.timeUs, xid: BigInt(event.xid) };
  }
  return writer.finish();
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
  let previous = { lsn: 0n, timeUs: 0n, xid: 0n };
  for (let index = 0; index < count; index++) {
    const event = decodeEvent(reader, previous);
    events.push(event);
    previous = { lsn: event.lsn, timeUs: event.timeUs, xid: BigInt(event.xid) };
  }
  reader.end();
  return events;
}

function decodeEvent(
  reader: ByteReader,
  previous: { readonly lsn: bigint; readonly timeUs: bigint; readonly xid: bigint },
): TransactionEvent {
  const head = reader.byte();
  const kind = EVENT_KINDS[head & KIND_BITS];
  if (kind === undefined || (head & ~(KIND_BITS | HAS_GID | HAS_SUBXIDS | SEEDED)) !== 0) {
    throw reader.damaged('an unknown kind of event');
  }
  const start = position(previous.lsn + reader.signed64());
  const endLsn = position(start + reader.signed64());
  const previousLsn = position(start - reader.signed64());
  const xid = xidOf(reader, previous.xid + reader.signed64());
  const databaseOid = reader.unsignedUpTo(UINT32_MAX);
  const timeUs = BigInt.asIntN(64, previous.timeUs + reader.signed64());
  const gid = (head & HAS_GID) === 0 ? undefined : reader.text();
  const subxids: number[] = [];
  if ((head & HAS_SUBXIDS) !== 0) {
    let before = BigInt(xid);
    for (let count = reader.count(); count > 0; count--) {
      const subxid = xidOf(reader, before + reader.signed64());
      subxids.push(subxid);
      before = BigInt(subxid);
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
