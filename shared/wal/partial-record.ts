import { CRC32C_INITIAL, updateCrc32c } from '../postgres/crc32c.ts';
import { FRAGMENT_BYTES_MAX } from './record-fragments.ts';
import { RECORD_HEADER_BYTES } from './wal-record.ts';

const BYTES_KEPT_MAX = 1024 * 1024;

/**
 * A record that comes in several pieces, since pages and what is pushed end within it. It holds no more of the record than was
 * asked for; the rest is only summed up.
 */
export class PartialRecord {
  /** Complete when `headerBytes` is {@link RECORD_HEADER_BYTES}. */
  readonly header = Buffer.alloc(RECORD_HEADER_BYTES);
  readonly headerView = new DataView(this.header.buffer, this.header.byteOffset, RECORD_HEADER_BYTES);
  #headerBytes = 0;
  #remaining = 0;
  #crc = CRC32C_INITIAL;
  #wanted = 0;
  #kept = 0;
  #bytes = Buffer.alloc(0);

  /** How much of its header is there. */
  get headerBytes(): number {
    return this.#headerBytes;
  }

  /** By its header, which is not checked; its first 4 bytes have to be there. */
  get totalLength(): number {
    return this.headerView.getUint32(0, true);
  }

  /** How much of its body is still to come, once it has begun. */
  get remaining(): number {
    return this.#remaining;
  }

  /** The running checksum of its body. */
  get crc(): number {
    return this.#crc;
  }

  /** Begins with what was kept of its body: `keptBytes`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get keptBytes(): number {
    return this.#kept;
  }

  begin(): void {
    this.#headerBytes = 0;
    this.#remaining = 0;
  }

  /** Takes what the header lacks, if so much is there. Returns where that ends. */
  takeHeader(bytes: Buffer, at: number, end: number): number {
    const taken = Math.min(RECORD_HEADER_BYTES - this.#headerBytes, end - at);
    bytes.copy(this.header, this.#headerBytes, at, at + taken);
    this.#headerBytes += taken;
    return at + taken;
  }

  /** The header is there. @param bytesWanted how much of the body is to be kept */
  beginBody(bytesWanted: number): void {
    this.#remaining = this.totalLength - RECORD_HEADER_BYTES;
    this.#crc = CRC32C_INITIAL;
    this.#kept = 0;
    this.#wanted = Math.min(bytesWanted, this.#remaining);
  }

  /** Takes what the body lacks, if so much is there. Returns where that ends. */
  takeBody(bytes: Buffer, view: DataView, at: number, end: number): number {
    const taken = Math.min(this.#remaining, end - at);
    this.#crc = updateCrc32c(this.#crc, view, at, at + taken);
    if (this.#kept < this.#wanted) this.#keep(bytes, at, taken);
    this.#remaining -= taken;
    return at + taken;
  }

  /** It was read; a large buffer is not held for the next one. */
  release(): void {
    if (this.#bytes.length > BYTES_KEPT_MAX) this.#bytes = Buffer.alloc(0);
  }

  /** The buffer grows with the bytes that came, never by what a header announces. */
  #keep(bytes: Buffer, at: number, length: number): void {
    const taken = Math.min(length, this.#wanted - this.#kept);
    if (this.#kept + taken > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#kept + taken, FRAGMENT_BYTES_MAX));
      this.#bytes.copy(grown, 0, 0, this.#kept);
      this.#bytes = grown;
    }
    bytes.copy(this.#bytes, this.#kept, at, at + taken);
    this.#kept += taken;
  }
}
