import type { BuiltRecord, WalBuilder } from './wal-builder.ts';

const HEAP = 10;

/** A row of pg_dist_transaction, and the record that inserts it. */
export interface DecisionInsert {
  readonly xid: number;
  readonly gid: string;
  readonly databaseOid?: number;
  readonly relationNumber?: number;
  /** Left out: a column less, as before Citus 13.1. */
  readonly outerXid?: bigint | null;
  /** The row is left out, and read from an image of its page; what the image's bytes are made of. */
  readonly image?: (content: Buffer) => { readonly info: number; readonly bytes: Buffer };
  /** As wal_level=logical has them in a subtransaction. */
  readonly topXid?: number;
}

const PAGE_BYTES = 8192;
/** Where the row lies on its page. */
const ROW_AT = 8000;
const OFFSET_NUMBER = 3;
const POINTERS_END = 24 + 4 * OFFSET_NUMBER;

/** The columns of a row, by the description of tuples. */
function columns({ gid, outerXid }: DecisionInsert): { readonly header: Buffer; readonly data: Buffer } {
  const text = Buffer.from(gid, 'latin1');
  const parts = [Buffer.from([2, 0, 0, 0, ((text.length + 1) << 1) | 1]), text];
  const hasNull = outerXid === null;
  if (outerXid !== undefined && outerXid !== null) {
    const length = 5 + text.length;
    const xid8 = Buffer.alloc(8);
    xid8.writeBigUInt64LE(outerXid);
    parts.push(Buffer.alloc(-length & 7), xid8);
  }
  const header = Buffer.alloc(6);
  header.writeUInt16LE(outerXid === undefined ? 2 : 3, 0);
  header.writeUInt16LE(hasNull ? 0x0803 : 0x0802, 2);
  header.writeUInt8(24, 4);
  header.writeUInt8(hasNull ? 0b011 : 0, 5);
  return { header, data: Buffer.concat(parts) };
}

/** Writes the record, with the row or with an image of the page that the row lies on. */
export function appendDecisionRow(builder: WalBuilder, insert: DecisionInsert): BuiltRecord {
  const { xid, databaseOid = 5, relationNumber = 16_493, image, topXid } = insert;
  const { header, data } = columns(insert);
  const relation = Buffer.alloc(16);
  relation.writeUInt32LE(1663, 0);
  relation.writeUInt32LE(databaseOid, 4);
  relation.writeUInt32LE(relationNumber, 8);
  const main = Buffer.from([OFFSET_NUMBER, 0, 0]);
  const parts: Buffer[] = [];
  const payload: Buffer[] = [];
  if (image === undefined) {
    const row = Buffer.concat([header, data]);
    parts.push(Buffer.from([0, 0x20, row.length & 0xff, row.length >> 8]), relation);
    payload.push(row);
  } else {
    const page = Buffer.alloc(PAGE_BYTES);
    page.writeUInt32LE((ROW_AT | (1 << 15) | ((24 + data.length) << 17)) >>> 0, POINTERS_END - 4);
    page.writeUInt32LE(xid, ROW_AT);
    header.copy(page, ROW_AT + 18);
    data.copy(page, ROW_AT + 24);
    const content = Buffer.concat([page.subarray(0, POINTERS_END), page.subarray(ROW_AT)]);
    const made = image(content);
    const compressed = made.info !== 0;
    const head = Buffer.alloc(compressed ? 11 : 9);
    head.writeUInt8(0, 0);
    head.writeUInt8(0x10, 1);
    head.writeUInt16LE(made.bytes.length, 4);
    head.writeUInt16LE(POINTERS_END, 6);
    head.writeUInt8(made.info | 1, 8);
    if (compressed) head.writeUInt16LE(ROW_AT - POINTERS_END, 9);
    parts.push(head, relation);
    payload.push(made.bytes);
  }
  if (topXid !== undefined) {
    const top = Buffer.alloc(5);
    top.writeUInt8(252, 0);
    top.writeUInt32LE(topXid, 1);
    parts.push(top);
  }
  const body = Buffer.concat([...parts, Buffer.from([255, main.length]), ...payload, main]);
  return builder.record({ manager: HEAP, info: 0, xid, body });
}
