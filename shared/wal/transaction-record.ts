import type { TransactionEvent, TransactionRecordKind } from './transaction-event.ts';
import { readFragments } from './record-fragments.ts';

/**
 * Records of the transaction resource manager. Sources: src/include/access/xact.h, src/backend/access/rmgrdesc/xactdesc.c and, for
 * PREPARE, TwoPhaseFileHeader in src/backend/access/transam/twophase.c.
 */

const KINDS: ReadonlyMap<number, TransactionRecordKind> = new Map([
  [0x00, 'commit'],
  [0x10, 'prepare'],
  [0x20, 'abort'],
  [0x30, 'commit-prepared'],
  [0x40, 'rollback-prepared'],
]);
export const KIND_BITS = 0x70;
export const INFO_HAS_XINFO = 0x80;

export const XINFO = {
  database: 1 << 0,
  subtransactions: 1 << 1,
  relations: 1 << 2,
  invalidations: 1 << 3,
  twoPhase: 1 << 4,
  origin: 1 << 5,
  gid: 1 << 7,
  droppedStatistics: 1 << 8,
} as const;

const RELATION_BYTES = 12;
const NO_RELATIONS = Buffer.alloc(0);
const INVALIDATION_BYTES = 16;
const ORIGIN_BYTES = 16;

const TWO_PHASE_MAGIC = 0x57f94534;
const GID_BYTES_MAX = 200;

/** PostgreSQL counts microseconds from 2000-01-01, this program from 1970-01-01. */
export const EPOCH_DIFFERENCE_US = 946_684_800_000_000n;

/** One for all events that have none. */
export const NO_SUBXIDS: readonly number[] = Object.freeze([]);

/** What one record says, without its position. */
export type TransactionRecord = Pick<TransactionEvent, 'xid' | 'databaseOid' | 'gid' | 'timeUs' | 'subxids'> & {
  readonly kind: TransactionRecordKind;
};

/** A record, and the relations that it drops: tablespace, database and relation, four bytes a number. A PREPARE drops none yet. */
export interface ReadTransaction {
  readonly record: TransactionRecord;
  readonly droppedRelations: Buffer;
}

interface RawRecord {
  readonly xid: number;
  readonly info: number;
  /** All that follows the header. */
  readonly body: Buffer;
  /** Of the server that wrote it; null if no page header was seen yet, which the record's own form then tells. */
  readonly majorVersion: number | null;
}

/**
 * Reads a record of the transaction resource manager; null for one that ends or prepares nothing.
 * @throws RangeError if the bytes cannot be such a record
 */
export function readTransactionRecord(record: RawRecord): ReadTransaction | null {
  const kind = KINDS.get(record.info & KIND_BITS);
  if (kind === undefined) return null;
  // These records have no blocks, so that the version that tells images apart does not matter.
  const { payloadOffset, mainDataBytes, blocks } = readFragments(record.body, record.body.length, 15);
  if (blocks.length > 0 || payloadOffset + mainDataBytes !== record.body.length) {
    throw new RangeError('a transaction record with blocks');
  }
  const data = record.body.subarray(payloadOffset);
  return kind === 'prepare'
    ? { record: readPrepare(record, data), droppedRelations: NO_RELATIONS }
    : readEnd(kind, record, data);
}

function readPrepare(record: RawRecord, data: Buffer): TransactionRecord {
  if (data.readUInt32LE(0) !== TWO_PHASE_MAGIC) throw new RangeError('a PREPARE without its magic number');
  const { gidBytes, gidOffset } = locateGid(data, record.majorVersion);
  // The length counts a checksum that only the file of a prepared transaction has.
  if (data.readUInt32LE(4) !== data.length + 4) throw new RangeError('a PREPARE that gives another length');
  const subtransactions = data.readInt32LE(28);
  const subxidOffset = gidOffset + align8(gidBytes);
  return {
    kind: 'prepare',
    xid: data.readUInt32LE(8),
    databaseOid: data.readUInt32LE(12),
    gid: decodeText(data.subarray(gidOffset, gidOffset + gidBytes - 1)),
    timeUs: data.readBigInt64LE(16) + EPOCH_DIFFERENCE_US,
    subxids: readXids(data, subxidOffset, subtransactions),
  };
}

interface PlaceOfGid {
  /** With the zero at its end. */
  readonly gidBytes: number;
  readonly gidOffset: number;
}

/**
 * The header grew by two counts in 15. Where the version is not known, the place in which a GID fits tells; the other place
 * holds zeros then.
 */
function locateGid(data: Buffer, majorVersion: number | null): PlaceOfGid {
  const from15 = majorVersion === null || majorVersion >= 15 ? gidAt(data, 54, 72) : null;
  const before15 = majorVersion === null || majorVersion < 15 ? gidAt(data, 46, 64) : null;
  return only(from15, before15, 'a PREPARE whose GID cannot be found');
}

/** Null if no GID fits in there. */
function gidAt(data: Buffer, lengthOffset: number, gidOffset: number): PlaceOfGid | null {
  const gidBytes = data.readUInt16LE(lengthOffset);
  const end = gidOffset + gidBytes;
  const valid = gidBytes >= 1 && gidBytes <= GID_BYTES_MAX && end <= data.length;
  return valid && data.indexOf(0, gidOffset) === end - 1 ? { gidBytes, gidOffset } : null;
}

function readEnd(kind: Exclude<TransactionRecordKind, 'prepare'>, record: RawRecord, data: Buffer): ReadTransaction {
  // One part's items grew in 18. Where the version is not known, the record's length tells which size it was.
  const hasStatistics = (record.info & INFO_HAS_XINFO) !== 0 && (data.readUInt32LE(8) & XINFO.droppedStatistics) !== 0;
  const { majorVersion } = record;
  const mayBeBefore18 = majorVersion === null ? hasStatistics : majorVersion < 18;
  const mayBeFrom18 = majorVersion === null || majorVersion >= 18;
  const before18 = mayBeBefore18 ? readEndWith(kind, record, data, 12) : null;
  const from18 = mayBeFrom18 ? readEndWith(kind, record, data, 16) : null;
  return only(before18, from18, 'a transaction end whose parts do not add up to its length');
}

/** Two readings are as bad as none: a guess could name another transaction. */
function only<T>(one: T | null, other: T | null, otherwise: string): T {
  if (one !== null && other !== null) {
    throw new RangeError("a record that can be read in two ways: the server's version is needed");
  }
  const reading = one ?? other;
  if (reading === null) throw new RangeError(otherwise);
  return reading;
}

/** Null if the parts do not add up to the record's length. */
function readEndWith(
  kind: Exclude<TransactionRecordKind, 'prepare'>,
  record: RawRecord,
  data: Buffer,
  statisticsBytes: number,
): ReadTransaction | null {
  const timeUs = data.readBigInt64LE(0) + EPOCH_DIFFERENCE_US;
  let { xid } = record;
  let databaseOid = 0;
  let subxids: readonly number[] = [];
  let gid: string | undefined;
  let droppedRelations: Buffer = NO_RELATIONS;
  let offset = 8;
  if ((record.info & INFO_HAS_XINFO) !== 0) {
    const xinfo = data.readUInt32LE(offset);
    offset += 4;
    if ((xinfo & XINFO.database) !== 0) {
      databaseOid = data.readUInt32LE(offset);
      offset += 8;
    }
    if ((xinfo & XINFO.subtransactions) !== 0) {
      subxids = readXids(data, offset + 4, data.readInt32LE(offset));
      offset += 4 + 4 * subxids.length;
    }
    if ((xinfo & XINFO.relations) !== 0) {
      const start = offset + 4;
      offset = skipArray(data, offset, RELATION_BYTES);
      droppedRelations = data.subarray(start, offset);
    }
    if ((xinfo & XINFO.droppedStatistics) !== 0) offset = skipArray(data, offset, statisticsBytes);
    if ((xinfo & XINFO.invalidations) !== 0) offset = skipArray(data, offset, INVALIDATION_BYTES);
    if (offset > data.length) return null;
    if ((xinfo & XINFO.twoPhase) !== 0) {
      if (offset + 4 > data.length) return null;
      xid = data.readUInt32LE(offset);
      offset += 4;
      if ((xinfo & XINFO.gid) !== 0) {
        const end = data.indexOf(0, offset);
        if (end < 0 || end - offset >= GID_BYTES_MAX) return null;
        gid = decodeText(data.subarray(offset, end));
        offset = end + 1;
      }
    }
    if ((xinfo & XINFO.origin) !== 0) offset += ORIGIN_BYTES;
  }
  if (offset !== data.length) return null;
  const named = kind === 'commit-prepared' || kind === 'rollback-prepared';
  if (named && xid === 0) throw new RangeError('the end of a prepared transaction that does not name it');
  const unnamed = { kind, xid, databaseOid, timeUs, subxids };
  return { record: gid === undefined ? unnamed : { kind, xid, databaseOid, timeUs, subxids, gid }, droppedRelations };
}

function readXids(data: Buffer, offset: number, count: number): readonly number[] {
  if (count < 0 || count * 4 > data.length - offset) throw new RangeError(`${count} subtransactions`);
  if (count === 0) return NO_SUBXIDS;
  return Array.from({ length: count }, (_, index) => data.readUInt32LE(offset + 4 * index));
}

/** @returns where the array ends, which may be beyond the data */
function skipArray(data: Buffer, offset: number, itemBytes: number): number {
  if (offset + 4 > data.length) return Number.POSITIVE_INFINITY;
  const count = data.readInt32LE(offset);
  return count < 0 ? Number.POSITIVE_INFINITY : offset + 4 + count * itemBytes;
}

/** A GID is in its database's encoding: UTF-8, or else a single-byte one, of which Latin-1 loses no byte. */
function decodeText(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function align8(value: number): number {
  return (value + 7) & ~7;
}
