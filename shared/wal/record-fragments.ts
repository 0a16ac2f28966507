/**
 * What stands between a record's header and its payloads: a list of fragments, each led by an id byte.
 * Source: src/include/access/xlogrecord.h.
 */

/** One block that a record changes. */
export interface BlockReference {
  readonly tablespaceOid: number;
  readonly databaseOid: number;
  readonly relationNumber: number;
  /** 0 main, 1 free space map, 2 visibility map, 3 init. */
  readonly fork: number;
  readonly block: number;
  /** Bytes of the page image that the record carries, 0 if none. */
  readonly imageBytes: number;
  readonly dataBytes: number;
}

export interface RecordFragments {
  readonly blocks: readonly BlockReference[];
  readonly mainDataBytes: number;
  /** Where the payloads begin: for each block its image and its data, then the main data. */
  readonly payloadOffset: number;
}

/** The fragments of any record lie in this many bytes after its header: 33 blocks of at most 27 bytes, and 13 more. */
export const FRAGMENT_BYTES_MAX = 1024;

export const BLOCK_ID_MAX = 32;
export const FRAGMENT_ID = { topXid: 252, origin: 253, longData: 254, shortData: 255 } as const;

/** The first byte of a block's fragment after its id. */
export const BLOCK_FLAG = { forkBits: 0x0f, image: 0x10, sameRelation: 0x80 } as const;

/** Whether an image is compressed, so that a hole's length follows: 13 and 14 have one bit, later versions one a method. */
export const COMPRESSED_BEFORE_15 = 0x02;
export const COMPRESSED_FROM_15 = 0x04 | 0x08 | 0x10;
export const HAS_HOLE = 0x01;

/**
 * Reads the fragments of one record.
 * @param body the record after its header; its first {@link FRAGMENT_BYTES_MAX} bytes are enough
 * @param majorVersion of the server that wrote it; images are described differently before 15
 * @throws RangeError if the bytes cannot be a record's
 */
export function readFragments(body: Buffer, totalBytes: number, majorVersion: number): RecordFragments {
  const blocks: BlockReference[] = [];
  let offset = 0;
  let payloadBytes = 0;
  let mainDataBytes = 0;
  // As PostgreSQL does: the list ends where the rest of the record is what it has announced.
  while (totalBytes - offset > payloadBytes) {
    const id = body.readUInt8(offset);
    if (id === FRAGMENT_ID.shortData || id === FRAGMENT_ID.longData) {
      mainDataBytes = id === FRAGMENT_ID.shortData ? body.readUInt8(offset + 1) : body.readUInt32LE(offset + 1);
      payloadBytes += mainDataBytes;
      offset += id === FRAGMENT_ID.shortData ? 2 : 5;
      break; // The main data's length is always the last.
    } else if (id === FRAGMENT_ID.origin) {
      offset += 3;
    } else if (id === FRAGMENT_ID.topXid) {
      offset += 5;
    } else if (id <= BLOCK_ID_MAX) {
      const read = readBlock(body, offset, blocks.at(-1), majorVersion);
      blocks.push(read.block);
      payloadBytes += read.block.imageBytes + read.block.dataBytes;
      offset = read.end;
    } else {
      throw new RangeError(`a fragment of the unknown kind ${id}`);
    }
  }
  if (totalBytes - offset !== payloadBytes) {
    throw new RangeError(`its fragments announce ${payloadBytes} bytes, ${totalBytes - offset} are there`);
  }
  return { blocks, mainDataBytes, payloadOffset: offset };
}

function readBlock(
  body: Buffer,
  start: number,
  before: BlockReference | undefined,
  majorVersion: number,
): { readonly block: BlockReference; readonly end: number } {
  const flags = body.readUInt8(start + 1);
  const dataBytes = body.readUInt16LE(start + 2);
  let imageBytes = 0;
  let offset = start + 4;
  if ((flags & BLOCK_FLAG.image) !== 0) {
    imageBytes = body.readUInt16LE(offset);
    const imageInfo = body.readUInt8(offset + 4);
    const compressed = majorVersion < 15 ? COMPRESSED_BEFORE_15 : COMPRESSED_FROM_15;
    offset += (imageInfo & HAS_HOLE) !== 0 && (imageInfo & compressed) !== 0 ? 7 : 5;
  }
  let relation: Pick<BlockReference, 'tablespaceOid' | 'databaseOid' | 'relationNumber'>;
  if ((flags & BLOCK_FLAG.sameRelation) === 0) {
    relation = {
      tablespaceOid: body.readUInt32LE(offset),
      databaseOid: body.readUInt32LE(offset + 4),
      relationNumber: body.readUInt32LE(offset + 8),
    };
    offset += 12;
  } else {
    if (before === undefined) throw new RangeError('its first block has no relation');
    relation = before;
  }
  const { tablespaceOid, databaseOid, relationNumber } = relation;
  const block = body.readUInt32LE(offset);
  return {
    block: {
      tablespaceOid,
      databaseOid,
      relationNumber,
      fork: flags & BLOCK_FLAG.forkBits,
      block,
      imageBytes,
      dataBytes,
    },
    end: offset + 4,
  };
}
