import type { Lsn } from '../postgres/lsn.ts';
import { previousOf, RECORD_HEADER_BYTES } from './wal-record.ts';
import type { WalPositions } from './wal-positions.ts';

const NO_BYTES = Buffer.alloc(0);
const NO_VIEW = new DataView(NO_BYTES.buffer, 0, 0);

/**
 * The record that was just read to its end and found right. One object stands for all records of a history in turn, since they come by
 * the million: whoever wants to keep something of it copies that.
 */
export class WholeRecord {
  readonly #positions: WalPositions;
  /** Position of its first byte. */
  start = 0;
  /** One past its last byte, before alignment padding. */
  end = 0;
  /** With its header, without page headers in between. */
  totalLength = 0;
  #header: DataView = NO_VIEW;
  #headerAt = 0;
  /** Hold from `bodyStart` to `bodyEnd` what follows the header, as far as it was kept. */
  bytes: Buffer = NO_BYTES;
  bodyStart = 0;
  bodyEnd = 0;

  constructor(positions: WalPositions) {
    this.#positions = positions;
  }

  /** @param headerAt where in `header` it lies */
  set(start: number, end: number, totalLength: number, header: DataView, headerAt: number): void {
    this.start = start;
    this.end = end;
    this.totalLength = totalLength;
    this.#header = header;
    this.#headerAt = headerAt;
  }

  setBody(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.bodyStart = start;
    this.bodyEnd = end;
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.#header = NO_VIEW;
    this.bytes = NO_BYTES;
  }

  get lsn(): Lsn {
    return this.#positions.lsn(this.start);
  }

  get endLsn(): Lsn {
    return this.#positions.lsn(this.end);
  }

  get previousLsn(): Lsn {
    return previousOf(this.#header, this.#headerAt);
  }

  /** The transaction that wrote it, 0 if none. */
  get xid(): number {
    return this.#header.getUint32(this.#headerAt + 4, true);
  }

  get info(): number {
    return this.#header.getUint8(this.#headerAt + 16);
  }

  get manager(): number {
    return this.#header.getUint8(this.#headerAt + 17);
  }

  /** Of what follows the header, also where not all of it was kept. */
  get bodyBytes(): number {
    return this.totalLength - RECORD_HEADER_BYTES;
  }

  /** What was kept of what follows the header. */
  body(): Buffer {
    return this.bytes.subarray(this.bodyStart, this.bodyEnd);
  }
}
