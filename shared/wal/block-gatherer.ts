import { FORK } from './changed-blocks.ts';
import type { ChangedBlockCollector } from './changed-block-collector.ts';
import {
  BLOCK_FLAG,
  BLOCK_ID_MAX,
  COMPRESSED_BEFORE_15,
  COMPRESSED_FROM_15,
  FRAGMENT_ID,
  HAS_HOLE,
} from './record-fragments.ts';
import { RESOURCE_MANAGER } from './wal-record.ts';

/** Kinds of records of the resource managers `storage` and `database` (info without its low four bits). */
const STORAGE_CREATE = 0x10;
const STORAGE_TRUNCATE = 0x20;
const DATABASE_CREATE = 0x00;
const DATABASE_CREATE_LOGGED_FROM_15 = 0x10;
const DATABASE_DROP_BEFORE_15 = 0x10;
const DATABASE_DROP_FROM_15 = 0x20;

/** Flags of a truncation: which files it shortens. */
const TRUNCATES_MAIN = 0x1;
const TRUNCATES_VISIBILITY_MAP = 0x2;

const RELATION_BYTES = 12;

/** So many blocks of a relation have their two bits each in one block of its visibility map. */
export const BLOCKS_PER_VISIBILITY_MAP_BLOCK = (8192 - 24) * 4;

/**
 * Adds what one record changes to a collector: every block that it refers to, files that it makes or shortens, databases that it
 * makes or drops. (What a transaction's end drops comes with its event.) Sources: src/include/access/xlogrecord.h,
 * src/include/catalog/storage_xlog.h, src/include/commands/dbcommands_xlog.h.
 *
 * The fragments are read as `readFragments` does, without an object for each: this runs for every record of a node.
 * @param bytes hold from `start` to `end` what follows the record's header: its fragments at least, and all of a record of storage or
 * databases
 * @param bodyBytes how much follows the header
 * @throws RangeError if the bytes cannot be a record's
 */
export function gatherBlocks(
  collector: ChangedBlockCollector,
  manager: number,
  info: number,
  bytes: Buffer,
  start: number,
  end: number,
  bodyBytes: number,
  majorVersion: number,
): void {
  let at = start;
  let payloadBytes = 0;
  let mainDataBytes = 0;
  let hasRelation = false;
  let tablespaceOid = 0;
  let databaseOid = 0;
  let relationNumber = 0;
  while (bodyBytes - (at - start) > payloadBytes) {
    const id = byteAt(bytes, at, end);
    if (id <= BLOCK_ID_MAX) {
      const flags = byteAt(bytes, at + 1, end);
      payloadBytes += uint16At(bytes, at + 2, end);
      at += 4;
      if ((flags & BLOCK_FLAG.image) !== 0) {
        payloadBytes += uint16At(bytes, at, end);
        const imageInfo = byteAt(bytes, at + 4, end);
        const compressed = (imageInfo & (majorVersion < 15 ? COMPRESSED_BEFORE_15 : COMPRESSED_FROM_15)) !== 0;
        at += compressed && (imageInfo & HAS_HOLE) !== 0 ? 7 : 5;
      }
      if ((flags & BLOCK_FLAG.sameRelation) === 0) {
        tablespaceOid = uint32At(bytes, at, end);
        databaseOid = uint32At(bytes, at + 4, end);
        relationNumber = uint32At(bytes, at + 8, end);
        hasRelation = true;
        at += RELATION_BYTES;
      } else if (!hasRelation) {
        throw new RangeError('its first block has no relation');
      }
      const fork = flags & BLOCK_FLAG.forkBits;
      if (fork > FORK.init) throw new RangeError(`a block of the unknown fork ${fork}`);
      collector.block(tablespaceOid, databaseOid, relationNumber, fork, uint32At(bytes, at, end));
      at += 4;
    } else if (id === FRAGMENT_ID.shortData) {
      mainDataBytes = byteAt(bytes, at + 1, end);
      payloadBytes += mainDataBytes;
      at += 2;
      break;
    } else if (id === FRAGMENT_ID.longData) {
      mainDataBytes = uint32At(bytes, at + 1, end);
      payloadBytes += mainDataBytes;
      at += 5;
      break;
    } else if (id === FRAGMENT_ID.origin) {
      at += 3;
    } else if (id === FRAGMENT_ID.topXid) {
      at += 5;
    } else {
      throw new RangeError(`a fragment of the unknown kind ${id}`);
    }
  }
  if (bodyBytes - (at - start) !== payloadBytes) {
    throw new RangeError(`its fragments announce ${payloadBytes} bytes, ${bodyBytes - (at - start)} are there`);
  }
  if (manager !== RESOURCE_MANAGER.storage && manager !== RESOURCE_MANAGER.database) return;
  const data = bytes.subarray(start + bodyBytes - mainDataBytes, start + bodyBytes);
  if (manager === RESOURCE_MANAGER.storage) gatherStorage(collector, info & 0xf0, data);
  else gatherDatabase(collector, info & 0xf0, data, majorVersion);
}

/** Relations that a transaction's end drops: tablespace, database and relation of each, four bytes a number. */
export function gatherDroppedRelations(collector: ChangedBlockCollector, relations: Buffer): void {
  for (let at = 0; at < relations.length; at += RELATION_BYTES) {
    collector.relation(relations.readUInt32LE(at), relations.readUInt32LE(at + 4), relations.readUInt32LE(at + 8));
  }
}

function gatherStorage(collector: ChangedBlockCollector, kind: number, data: Buffer): void {
  if (kind === STORAGE_CREATE) {
    const fork = data.readUInt32LE(12);
    if (fork > FORK.init) throw new RangeError(`a file of the unknown fork ${fork}`);
    collector.limit(data.readUInt32LE(0), data.readUInt32LE(4), data.readUInt32LE(8), fork, 0);
  } else if (kind === STORAGE_TRUNCATE) {
    const block = data.readUInt32LE(0);
    const relation = [data.readUInt32LE(4), data.readUInt32LE(8), data.readUInt32LE(12)] as const;
    const flags = data.readUInt32LE(16);
    if ((flags & TRUNCATES_MAIN) !== 0) collector.limit(...relation, FORK.main, block);
    if ((flags & TRUNCATES_VISIBILITY_MAP) !== 0) {
      // The record gives the relation's blocks. In the map's last block that stays, the bits behind them are cleared.
      collector.limit(...relation, FORK.visibilityMap, Math.floor(block / BLOCKS_PER_VISIBILITY_MAP_BLOCK));
    }
  } else {
    throw new RangeError(`a record of storage of the unknown kind ${kind}`);
  }
}

function gatherDatabase(collector: ChangedBlockCollector, kind: number, data: Buffer, majorVersion: number): void {
  const databaseOid = data.readUInt32LE(0);
  if (kind === (majorVersion < 15 ? DATABASE_DROP_BEFORE_15 : DATABASE_DROP_FROM_15)) {
    const tablespaces = data.readUInt32LE(4);
    for (let index = 0; index < tablespaces; index++) collector.database(data.readUInt32LE(8 + 4 * index), databaseOid);
  } else if (kind === DATABASE_CREATE || (majorVersion >= 15 && kind === DATABASE_CREATE_LOGGED_FROM_15)) {
    collector.database(data.readUInt32LE(4), databaseOid);
  } else {
    throw new RangeError(`a record of databases of the unknown kind ${kind}`);
  }
}

function byteAt(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw new RangeError('its fragments end early');
  return bytes[at]!;
}

function uint16At(bytes: Buffer, at: number, end: number): number {
  if (at + 2 > end) throw new RangeError('its fragments end early');
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function uint32At(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) throw new RangeError('its fragments end early');
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
