import type { TransactionEvent, TransactionRecordKind } from '../../shared/wal/transaction-event.ts';
import { mainData, type BuiltRecord, type WalBuilder } from './wal-builder.ts';

const TRANSACTION = 1;
const EPOCH_DIFFERENCE_US = 946_684_800_000_000n;
const INFO = { commit: 0x00, prepare: 0x10, abort: 0x20, 'commit-prepared': 0x30, 'rollback-prepared': 0x40 } as const;

/** What a transaction's record is made of; how many items the parts have that an event does not show. */
export interface TransactionContent {
  readonly kind: TransactionRecordKind;
  readonly xid: number;
  readonly timeUs: bigint;
  readonly databaseOid: number;
  readonly subxids: readonly number[];
  /** Bytes are written as they are, as in a database that is not in UTF-8. */
  readonly gid?: string | Buffer;
  readonly relations?: number;
  readonly droppedStatistics?: number;
  readonly invalidations?: number;
  readonly origin?: boolean;
}

/** Writes the record and says which event a parser must give. */
export function appendTransaction(builder: WalBuilder, content: TransactionContent): TransactionEvent {
  const finishes = content.kind === 'commit-prepared' || content.kind === 'rollback-prepared';
  const { xinfo, data } =
    content.kind === 'prepare' ? prepareData(builder.major, content) : endData(builder.major, content);
  const built: BuiltRecord = builder.record({
    manager: TRANSACTION,
    info: INFO[content.kind] | (xinfo === 0 ? 0 : 0x80),
    xid: finishes ? 0 : content.xid,
    body: mainData(data),
  });
  return {
    kind: content.kind,
    xid: content.xid,
    databaseOid: content.databaseOid,
    ...(content.gid === undefined ? {} : { gid: content.gid.toString() }),
    timeUs: content.timeUs,
    subxids: content.subxids,
    lsn: built.lsn,
    endLsn: built.endLsn,
    previousLsn: built.previousLsn,
  };
}

function uint32(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => buffer.writeUInt32LE(value, 4 * index));
  return buffer;
}

function time(timeUs: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64LE(timeUs - EPOCH_DIFFERENCE_US);
  return buffer;
}

function cString(text: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.of(0)]);
}

function endData(major: number, content: TransactionContent): { xinfo: number; data: Buffer } {
  const finishes = content.kind === 'commit-prepared' || content.kind === 'rollback-prepared';
  const parts: Buffer[] = [];
  let xinfo = 0;
  const part = (bit: number, ...bytes: readonly Buffer[]) => {
    xinfo |= 1 << bit;
    parts.push(...bytes);
  };
  const array = (bit: number, count: number | undefined, itemBytes: number) => {
    if (count !== undefined) part(bit, uint32(count), Buffer.alloc(count * itemBytes, 0x5a));
  };
  if (content.databaseOid !== 0) part(0, uint32(content.databaseOid, 1663));
  if (content.subxids.length > 0) part(1, uint32(content.subxids.length, ...content.subxids));
  array(2, content.relations, 12);
  if (major >= 15) array(8, content.droppedStatistics, major >= 18 ? 16 : 12);
  array(3, content.invalidations, 16);
  if (finishes) part(4, uint32(content.xid));
  if (content.gid !== undefined) part(7, cString(content.gid));
  if (content.origin === true) part(5, Buffer.alloc(16, 0x77));
  if (xinfo !== 0) parts.unshift(uint32(xinfo));
  return { xinfo, data: Buffer.concat([time(content.timeUs), ...parts]) };
}

function prepareData(major: number, content: TransactionContent): { xinfo: number; data: Buffer } {
  const gid = cString(content.gid ?? '');
  const header = Buffer.alloc(major >= 15 ? 72 : 64);
  header.writeUInt32LE(0x57f94534, 0);
  header.writeUInt32LE(content.xid, 8);
  header.writeUInt32LE(content.databaseOid, 12);
  time(content.timeUs).copy(header, 16);
  header.writeUInt32LE(10, 24);
  header.writeUInt32LE(content.subxids.length, 28);
  header.writeUInt16LE(gid.length, major >= 15 ? 54 : 46);
  const aligned = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 7)]);
  // What follows stands for lock and statistics records of the two-phase state.
  const rest = Buffer.alloc(8 * (content.invalidations ?? 0), 0x33);
  const data = Buffer.concat([header, aligned(gid), aligned(uint32(...content.subxids)), rest]);
  data.writeUInt32LE(data.length + 4, 4);
  return { xinfo: 0, data };
}
