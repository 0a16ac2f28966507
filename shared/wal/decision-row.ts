import { parseCitusGid } from '../postgres/citus-gid.ts';

/**
 * Recognises rows of Citus's pg_dist_transaction by their content: the target's group (int4), the branch's GID (text with a header of one
 * byte), and from 13.1 on `outer_xid` (xid8). Tuples: src/include/access/htup_details.h.
 */
export interface DecisionTuple {
  readonly gid: string;
  /**
   * Not 0: the row was written on behalf of this transaction in another database of the same server, and it is that one's commit which
   * decides. The lower half of an xid8.
   */
  readonly outerXid: number;
}

/** What stands in front of the columns: 23 bytes of header, and one of padding or for which columns are null. */
export const TUPLE_HEADER_BYTES = 24;
const ATTRIBUTES_BITS = 0x07ff;
const HAS_NULL = 0x0001;
const GROUP_BYTES = 4;
const OUTER_XID_BYTES = 8;

/** The beginning of every such GID, as a number: most tuples of other tables are told by it alone. */
const GID_START = Buffer.from('citu').readUInt32LE(0);

interface Tuple {
  readonly infomask2: number;
  readonly infomask: number;
  readonly headerBytes: number;
  /** Which of the first eight columns are there, if some are null. */
  readonly present: number;
}

/** @param bytes hold the columns from `start` to `end` */
export function readDecisionTuple(tuple: Tuple, bytes: Buffer, start: number, end: number): DecisionTuple | null {
  const gidAt = start + GROUP_BYTES + 1;
  if (end - gidAt < 4 || end > bytes.length || bytes.readUInt32LE(gidAt) !== GID_START) return null;
  const columns = tuple.infomask2 & ATTRIBUTES_BITS;
  const present = (tuple.infomask & HAS_NULL) === 0 ? 0xff : tuple.present;
  if (tuple.headerBytes !== TUPLE_HEADER_BYTES || (columns !== 2 && columns !== 3) || (present & 3) !== 3) return null;
  const lengthByte = bytes.readUInt8(gidAt - 1);
  const gidEnd = gidAt - 1 + (lengthByte >> 1);
  if ((lengthByte & 1) === 0 || gidEnd > end) return null;
  const gid = bytes.toString('latin1', gidAt, gidEnd);
  if (parseCitusGid(gid) === null) return null;
  if (columns === 2 || (present & 4) === 0) return gidEnd === end ? { gid, outerXid: 0 } : null;
  const outerAt = start + ((gidEnd - start + 7) & ~7);
  return outerAt + OUTER_XID_BYTES === end ? { gid, outerXid: bytes.readUInt32LE(outerAt) } : null;
}

const PAGE_HEADER_BYTES = 24;
const LINE_POINTER_BYTES = 4;
const LINE_POINTER_NORMAL = 1;

/** The same of a tuple on a page. @param xid of the transaction that wrote it */
export function readDecisionTupleOnPage(page: Buffer, offsetNumber: number, xid: number): DecisionTuple | null {
  const pointerAt = PAGE_HEADER_BYTES + LINE_POINTER_BYTES * (offsetNumber - 1);
  if (offsetNumber < 1 || pointerAt + LINE_POINTER_BYTES > page.length) return null;
  const pointer = page.readUInt32LE(pointerAt);
  const start = pointer & 0x7fff;
  const end = start + (pointer >>> 17);
  const normal = ((pointer >>> 15) & 3) === LINE_POINTER_NORMAL;
  if (!normal || end > page.length || end - start < TUPLE_HEADER_BYTES || page.readUInt32LE(start) !== xid) return null;
  const tuple = {
    infomask2: page.readUInt16LE(start + 18),
    infomask: page.readUInt16LE(start + 20),
    headerBytes: page.readUInt8(start + 22),
    present: page.readUInt8(start + 23),
  };
  return readDecisionTuple(tuple, page, start + TUPLE_HEADER_BYTES, end);
}
