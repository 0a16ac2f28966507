import { crc32c } from '../../shared/postgres/crc32c.ts';
import { lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { pageMagicOfMajor } from '../../shared/postgres/versions.ts';

/** Where a built record lies. */
export interface BuiltRecord {
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
  readonly previousLsn: Lsn;
}

interface RecordContent {
  readonly manager: number;
  readonly info: number;
  readonly xid?: number;
  /** What follows the header: fragments and payloads. */
  readonly body: Buffer;
}

interface WalBuilderOptions {
  readonly major?: number;
  readonly timeline?: number;
  readonly segmentBytes?: number;
  readonly systemIdentifier?: string;
  /** Start of a segment. */
  readonly startLsn?: Lsn;
}

const PAGE = 8192;
const XLOG = 0;
const SWITCH = 0x40;
const OVERWRITE_CONTRECORD = 0xd0;

/** Writes WAL as PostgreSQL lays it out, of records that a test makes up; by the description of the format, not by the parser's code. */
export class WalBuilder {
  readonly major: number;
  readonly segmentBytes: number;
  readonly systemIdentifier: string;
  readonly startLsn: Lsn;
  readonly records: BuiltRecord[] = [];
  /** Starts of records that were cut off. */
  readonly broken: Lsn[] = [];
  timeline: number;
  #buffer = Buffer.alloc(64 * 1024);
  #length = 0;
  #previous: Lsn;
  /** The next page says that a record was given up. */
  #overwriting = false;

  constructor(options: WalBuilderOptions = {}) {
    this.major = options.major ?? 18;
    this.timeline = options.timeline ?? 1;
    this.segmentBytes = options.segmentBytes ?? 1024 * 1024;
    this.systemIdentifier = options.systemIdentifier ?? '7710939264837747254';
    this.startLsn = options.startLsn ?? lsn(0x16_0050_0000n);
    this.#previous = lsn(this.startLsn - 64n);
  }

  get position(): Lsn {
    return lsn(this.startLsn + BigInt(this.#length));
  }

  /** All bytes so far. */
  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  record(content: RecordContent): BuiltRecord {
    const start = this.#startRecord();
    const record = this.#encode(content);
    this.#put(record, record.length);
    const built = { lsn: start, endLsn: this.position, previousLsn: this.#previous };
    this.records.push(built);
    this.#previous = start;
    this.#zeros(-this.#length & 7);
    return built;
  }

  /** Ends the segment: a SWITCH record, then nothing but page headers. */
  switchSegment(): BuiltRecord {
    const built = this.record({ manager: XLOG, info: SWITCH, body: Buffer.alloc(0) });
    while (this.#length % this.segmentBytes !== 0) {
      if (this.#length % PAGE === 0) this.#pageHeader(0);
      this.#zeros(PAGE - (this.#length % PAGE));
    }
    return built;
  }

  /**
   * A record that a crash cut off at the end of a page: `pages` whole pages of it are there. Then the record that says so, which
   * names the start of the cut one, unless it is made to name another.
   */
  brokenRecord(content: RecordContent, pages: number, named?: Lsn): BuiltRecord {
    const start = this.#startRecord();
    const record = this.#encode(content);
    let written = 0;
    for (let page = 0; page <= pages; page++) {
      if (this.#length % PAGE === 0) this.#pageHeader(record.length - written);
      const part = record.subarray(written, written + PAGE - (this.#length % PAGE));
      this.#append(part);
      written += part.length;
    }
    if (written >= record.length) throw new Error('the record is too short to be cut off there');
    this.#overwriting = true;
    const data = Buffer.alloc(16);
    data.writeBigUInt64LE(named ?? start, 0);
    this.broken.push(start);
    return this.record({ manager: XLOG, info: OVERWRITE_CONTRECORD, body: mainData(data) });
  }

  /** The rest of a record that began before the first byte. */
  foreignRest(length: number): void {
    if (this.#length !== 0) throw new Error('only at the start');
    this.#put(Buffer.alloc(length, 0xee), length);
    this.#zeros(-this.#length & 7);
  }

  #startRecord(): Lsn {
    if (this.#length % PAGE === 0) this.#pageHeader(0);
    return this.position;
  }

  #encode({ manager, info, xid = 0, body }: RecordContent): Buffer {
    const record = Buffer.alloc(24 + body.length);
    record.writeUInt32LE(record.length, 0);
    record.writeUInt32LE(xid, 4);
    record.writeBigUInt64LE(this.#previous, 8);
    record.writeUInt8(info, 16);
    record.writeUInt8(manager, 17);
    body.copy(record, 24);
    record.writeUInt32LE(crc32c(record.subarray(0, 20), crc32c(body)), 20);
    return record;
  }

  #put(record: Buffer, total: number): void {
    for (let written = 0; written < total;) {
      if (this.#length % PAGE === 0) this.#pageHeader(total - written);
      const part = record.subarray(written, written + PAGE - (this.#length % PAGE));
      this.#append(part);
      written += part.length;
    }
  }

  #pageHeader(remaining: number): void {
    const long = this.#length % this.segmentBytes === 0;
    const header = Buffer.alloc(long ? 40 : 24);
    const continued = remaining > 0 && !this.#overwriting;
    header.writeUInt16LE(pageMagicOfMajor(this.major) ?? 0, 0);
    header.writeUInt16LE((continued ? 1 : 0) | (long ? 2 : 0) | (this.#overwriting ? 8 : 0), 2);
    header.writeUInt32LE(this.timeline, 4);
    header.writeBigUInt64LE(this.position, 8);
    header.writeUInt32LE(continued ? remaining : 0, 16);
    if (long) {
      header.writeBigUInt64LE(BigInt(this.systemIdentifier), 24);
      header.writeUInt32LE(this.segmentBytes, 32);
      header.writeUInt32LE(PAGE, 36);
    }
    this.#overwriting = false;
    this.#append(header);
  }

  #zeros(count: number): void {
    this.#append(Buffer.alloc(count));
  }

  #append(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#buffer.length) {
      this.#buffer = Buffer.concat([this.#buffer], 2 * (this.#length + bytes.length));
    }
    bytes.copy(this.#buffer, this.#length);
    this.#length += bytes.length;
  }
}

/** The body of a record that has only main data. */
export function mainData(data: Buffer): Buffer {
  if (data.length < 256) return Buffer.concat([Buffer.of(255, data.length), data]);
  const head = Buffer.alloc(5);
  head.writeUInt8(254, 0);
  head.writeUInt32LE(data.length, 1);
  return Buffer.concat([head, data]);
}
