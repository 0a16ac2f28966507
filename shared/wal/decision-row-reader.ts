import { readDecisionTuple, readDecisionTupleOnPage, type DecisionTuple } from './decision-row.ts';
import { HEAP_PAGE_BYTES, restorePage, type ZstdDecompress } from './page-image.ts';
import { BLOCK_FLAG, COMPRESSED_BEFORE_15, COMPRESSED_FROM_15, FRAGMENT_ID, HAS_HOLE } from './record-fragments.ts';
import { RelationCache } from './relation-cache.ts';
import type { WholeRecord } from './whole-record.ts';

/** A row that a record writes. */
export interface WrittenDecisionRow {
  readonly gid: string;
  /** The transaction whose commit decides. */
  readonly xid: number;
  readonly databaseOid: number;
}

/** A record that inserts one row is not longer: a page's image, a row, and what describes them. */
export const INSERT_BODY_BYTES_MAX = 3 * HEAP_PAGE_BYTES;

const BLOCK_FRAGMENT_BYTES = 20;
const ROW_HEADER_BYTES = 5;
/** The row's place on its page, and flags. */
const INSERT_DATA_BYTES = 3;

type InsertRecord = Pick<WholeRecord, 'xid' | 'bytes' | 'bodyStart' | 'bodyEnd'>;

/**
 * Finds the rows of Citus's pg_dist_transaction among all that is inserted, from WAL alone: nobody says which relation it is, and
 * VACUUM FULL gives it another number. A record that carries an image of the page usually leaves the row out; then the image is
 * restored and the row read from it. So that a workload without Citus does not pay for that, relations are remembered of which
 * another row was seen; their images are passed over. A new relation may get an old number: whoever sees one made says so
 * by `relationMade`.
 *
 * Sources: src/include/access/heapam_xlog.h, src/include/access/xlogrecord.h.
 */
export class DecisionRowReader {
  readonly #zstd: ZstdDecompress | undefined;
  readonly #others = new RelationCache();
  readonly #page = Buffer.alloc(HEAP_PAGE_BYTES);

  /** @param zstd left out: rows in images that are compressed with zstd are not found */
  constructor(zstd?: ZstdDecompress) {
    this.#zstd = zstd;
  }

  relationMade(): void {
    this.#others.clear();
  }

  /** Reads a record INSERT (or INSERT with a new page) of the resource manager `heap`; null if it writes no such row. */
  read(record: InsertRecord, majorVersion: number): WrittenDecisionRow | null {
    const { bytes, bodyStart: start, bodyEnd: end } = record;
    if (end - start < BLOCK_FRAGMENT_BYTES || bytes[start] !== 0) return null;
    const flags = bytes[start + 1] ?? 0;
    const dataBytes = bytes.readUInt16LE(start + 2);
    let at = start + 4;
    let imageBytes = 0;
    let imageInfo = 0;
    let holeOffset = 0;
    let holeBytes = 0;
    if ((flags & BLOCK_FLAG.image) !== 0) {
      if (end - at < BLOCK_FRAGMENT_BYTES + 3) return null;
      imageBytes = bytes.readUInt16LE(at);
      holeOffset = bytes.readUInt16LE(at + 2);
      imageInfo = bytes.readUInt8(at + 4);
      at += 5;
      if ((imageInfo & HAS_HOLE) !== 0) {
        const compressed = (imageInfo & (majorVersion < 15 ? COMPRESSED_BEFORE_15 : COMPRESSED_FROM_15)) !== 0;
        holeBytes = compressed ? bytes.readUInt16LE(at) : HEAP_PAGE_BYTES - imageBytes;
        at += compressed ? 2 : 0;
      }
    }
    if ((flags & (BLOCK_FLAG.sameRelation | BLOCK_FLAG.forkBits)) !== 0) return null;
    const tablespaceOid = bytes.readUInt32LE(at);
    const databaseOid = bytes.readUInt32LE(at + 4);
    const relationNumber = bytes.readUInt32LE(at + 8);
    at += 16;
    let topXid = record.xid;
    for (let more = true; more;) {
      if (end - at < 2) return null;
      const id = bytes[at];
      if (id === FRAGMENT_ID.origin) at += 3;
      else if (id === FRAGMENT_ID.topXid && end - at >= 5) {
        topXid = bytes.readUInt32LE(at + 1);
        at += 5;
      } else if (id === FRAGMENT_ID.shortData && bytes[at + 1] === INSERT_DATA_BYTES) {
        at += 2;
        more = false;
      } else return null;
    }
    const rowAt = at + imageBytes;
    const mainAt = rowAt + dataBytes;
    if (mainAt + INSERT_DATA_BYTES !== end || holeBytes < 0) return null;

    let tuple: DecisionTuple | null;
    if (dataBytes > ROW_HEADER_BYTES) {
      tuple = readRow(bytes, rowAt, mainAt);
    } else {
      if (imageBytes === 0 || this.#others.has(tablespaceOid, databaseOid, relationNumber)) return null;
      const image = { bytes: bytes.subarray(at, rowAt), info: imageInfo, holeOffset, holeBytes, majorVersion };
      if (!restorePage(image, this.#page, this.#zstd)) return null;
      tuple = readDecisionTupleOnPage(this.#page, bytes.readUInt16LE(mainAt), record.xid);
    }
    if (tuple === null) {
      this.#others.add(tablespaceOid, databaseOid, relationNumber);
      return null;
    }
    this.#others.delete(databaseOid, relationNumber);
    return { gid: tuple.gid, xid: tuple.outerXid === 0 ? topXid : tuple.outerXid, databaseOid };
  }
}

/** A row as a record has it: five bytes of its header, then all that follows the header's fixed part. */
function readRow(bytes: Buffer, start: number, end: number): DecisionTuple | null {
  const columnsAt = start + ROW_HEADER_BYTES + 1;
  if (columnsAt > end) return null;
  const tuple = {
    infomask2: bytes.readUInt16LE(start),
    infomask: bytes.readUInt16LE(start + 2),
    headerBytes: bytes.readUInt8(start + 4),
    present: bytes.readUInt8(start + ROW_HEADER_BYTES),
  };
  return readDecisionTuple(tuple, bytes, columnsAt, end);
}
