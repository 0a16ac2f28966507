import { TidemarkError } from '../errors/tidemark-error.ts';

/**
 * Variable-length numbers, seven bits a byte, least significant first, as protobuf and SQLite-like formats use them. Signed
 * numbers are zigzag-mapped. A reader never reads past its end and refuses what a writer cannot have written.
 */

const U64_MAX = (1n << 64n) - 1n;
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** Appends fields to a growing buffer. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  /** 0 to 2^53 - 1. */
  unsigned(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an unsigned integer`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** 0 to 2^64 - 1. */
  unsigned64(value: bigint): void {
    if (value < 0n || value > U64_MAX) throw new RangeError(`${value} does not fit into 64 bits`);
    if (value <= SAFE_MAX) return this.unsigned(Number(value));
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  /** A difference of two 64-bit values, modulo 2^64. */
  signed64(value: bigint): void {
    const wrapped = BigInt.asIntN(64, value);
    this.unsigned64(wrapped >= 0n ? wrapped << 1n : ((-wrapped - 1n) << 1n) | 1n);
  }

  uint32LE(value: number): void {
    this.#reserve(4);
    this.#buffer.writeUInt32LE(value, this.#length);
    this.#length += 4;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Its length, then the bytes. */
  bytes(bytes: Uint8Array): void {
    this.unsigned(bytes.length);
    this.raw(bytes);
  }

  text(text: string): void {
    this.bytes(Buffer.from(text, 'utf8'));
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }
}

/** Reads what a {@link ByteWriter} wrote. Every method throws TidemarkError TM-REPO-003 where the bytes end or are not valid. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #what: string;
  #offset = 0;

  /** @param what names the thing in messages, for example `transaction events` */
  constructor(buffer: Buffer, what: string) {
    this.#buffer = buffer;
    this.#what = what;
  }

  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  damaged(reason: string): TidemarkError {
    return new TidemarkError('TM-REPO-003', `${this.#what}: ${reason} at byte ${this.#offset}`);
  }

  byte(): number {
    const value = this.#buffer[this.#offset];
    if (value === undefined) throw this.damaged('ends early');
    this.#offset++;
    return value;
  }

  unsigned(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 0x80;
    }
    throw this.damaged('a number is too large');
  }

  /** An unsigned number that is at most `max`. */
  unsignedUpTo(max: number): number {
    const value = this.unsigned();
    if (value > max) throw this.damaged(`${value} is more than ${max}`);
    return value;
  }

  /** A number of things that follow, each of which takes at least one byte: bounds what a damaged count can allocate. */
  count(): number {
    return this.unsignedUpTo(this.remaining);
  }

  unsigned64(): bigint {
    let low = 0;
    for (let count = 0; count < 4; count++) {
      const byte = this.byte();
      low += (byte & 0x7f) * 2 ** (7 * count);
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > U64_MAX) break;
        return value;
      }
    }
    throw this.damaged('a number is too large');
  }

  signed64(): bigint {
    const value = this.unsigned64();
    return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
  }

  uint32LE(): number {
    const value = this.raw(4);
    return value.readUInt32LE(0);
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    if (length > this.remaining) throw this.damaged('ends early');
    const view = this.#buffer.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return view;
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    return this.raw(this.count());
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  /** States that nothing is left. */
  end(): void {
    if (this.remaining !== 0) throw this.damaged(`${this.remaining} bytes too many`);
  }
}
