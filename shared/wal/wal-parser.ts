import { TidemarkError } from '../errors/tidemark-error.ts';
import { CRC32C_INITIAL, finishCrc32c, updateCrc32c } from '../postgres/crc32c.ts';
import { formatLsn, NO_LSN, type Lsn } from '../postgres/lsn.ts';
import { checkSegmentBytes } from '../postgres/wal-segment.ts';
import type { ChangedBlockCollector } from './changed-block-collector.ts';
import { PageSequence } from './page-sequence.ts';
import type { ZstdDecompress } from './page-image.ts';
import { PartialRecord } from './partial-record.ts';
import { RecordChain } from './record-chain.ts';
import { RecordReader } from './record-reader.ts';
import type { TransactionEvent } from './transaction-event.ts';
import { LONG_PAGE_HEADER_BYTES, PAGE_FLAG, PAGE_HEADER_BYTES, readPageHeader, WAL_PAGE_BYTES } from './wal-page.ts';
import { NO_POSITION, WalPositions } from './wal-positions.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RESOURCE_MANAGER, XLOG_RECORD, type WalRecord } from './wal-record.ts';
import { WholeRecord } from './whole-record.ts';

export interface WalParserOptions {
  /** Pages of this timeline or, in the copied start of a segment after a switch, of an earlier one. */
  readonly timeline: number;
  /** Size of a WAL segment: a power of two from 1 MiB to 1 GiB. */
  readonly segmentBytes: number;
  /** In decimal. */
  readonly systemIdentifier: string;
  /** Position of the first byte that will be pushed. */
  readonly startLsn: Lsn;
  /**
   * True: a record starts at `startLsn`. False: `startLsn` is a page's start, and a record continued from before is skipped.
   * No record starts where a page does, so a page's start is always taken as such.
   */
  readonly atRecord: boolean;
  /** Of the server, if known. Else the first page header tells; records before it are read by their form. */
  readonly majorVersion?: number;
  /** The WAL may end in zeros, as a segment does that PostgreSQL has not filled yet. They are taken as its end, see `ended`. */
  readonly zerosMayFollow?: boolean;
  /** Is given what every record changes. `majorVersion` must be given then, or the first byte be a page's. */
  readonly changedBlocks?: ChangedBlockCollector;
  /** Without it, rows that decide over branches are missed where they lie in page images that are compressed with zstd. */
  readonly zstd?: ZstdDecompress;
  /** Called for every record, in order. */
  readonly onRecord?: (record: WalRecord) => void;
}

/**
 * Reads one WAL history from any position on, in any cutting of its bytes, without I/O. What it has accepted is whole: every
 * page has the right address, system and timeline, every record the right checksum and predecessor. It holds at
 * most one record's start, or a transaction's record; the rest of a long record is only summed up.
 */
export class WalParser {
  readonly #options: WalParserOptions;
  readonly #segmentBytes: number;
  readonly #positions: WalPositions;
  readonly #pages: PageSequence;
  readonly #chain: RecordChain;
  readonly #reader: RecordReader;

  /** End of the bytes pushed. */
  #position: number;
  readonly #pageHeader = Buffer.alloc(LONG_PAGE_HEADER_BYTES);

  /** True until a record's start is known: at first, if the bytes do not begin with one. */
  #searching: boolean;
  /** Bytes that belong to no record of ours: the rest of a record from before the first page, padding, what follows a SWITCH. */
  #skip = 0;
  /** Of a record from before the first page, still to be skipped. */
  #foreign = 0;

  /** Start of the record being read; its header may be incomplete. */
  #record = NO_POSITION;
  /** What is there of it, unless all of it lies in one piece. */
  readonly #partial = new PartialRecord();
  /** The last record that was read to its end. */
  readonly #whole: WholeRecord;

  #ended = false;
  #failure: unknown;
  #events: TransactionEvent[] = [];

  constructor(options: WalParserOptions) {
    this.#segmentBytes = checkSegmentBytes(options.segmentBytes);
    const inPage = Number(options.startLsn % BigInt(WAL_PAGE_BYTES));
    const atPage = inPage === 0;
    const header = this.#pageHeaderBytes(Number(options.startLsn % BigInt(this.#segmentBytes)) - inPage);
    if (!atPage && (!options.atRecord || inPage % 8 !== 0 || inPage < header)) {
      throw new TidemarkError('TM-WAL-001', `reading WAL cannot start at ${formatLsn(options.startLsn)}`, {
        hint: "It starts at a record's or a page's start.",
      });
    }
    this.#options = options;
    this.#positions = new WalPositions(options.timeline, options.startLsn);
    this.#position = this.#positions.first;
    this.#pages = new PageSequence(options);
    this.#chain = new RecordChain(this.#positions);
    this.#reader = new RecordReader(options, this.#pages, this.#positions);
    this.#whole = new WholeRecord(this.#positions);
    this.#searching = atPage;
  }

  /** End of the bytes pushed. */
  get positionLsn(): Lsn {
    return this.#positions.lsn(this.#position);
  }

  /**
   * Start of the first record that does not end at or before `positionLsn`. While the rest of a record from before the first
   * byte is being skipped it is `startLsn`, which is a page's start then. At `positionLsn` or before, unless padding or
   * a page header lies between.
   */
  get nextRecordLsn(): Lsn {
    if (this.#searching) return this.#options.startLsn;
    if (this.#record !== NO_POSITION) return this.#positions.lsn(this.#record);
    const next = this.#position + this.#skip;
    const page = next - (next % WAL_PAGE_BYTES);
    return this.#positions.lsn(Math.max(next, page + this.#pageHeaderBytes(page)));
  }

  /** Start of the last record that ends at or before `positionLsn`; NO_LSN if none was read. */
  get lastRecordLsn(): Lsn {
    const { last } = this.#chain;
    return last === NO_POSITION ? NO_LSN : this.#positions.lsn(last);
  }

  /** Major version of the server that wrote this; null until a page header was read, unless it was given. */
  get majorVersion(): number | null {
    return this.#pages.majorVersion;
  }

  /** Zeros were met where a record or a page should begin, and were allowed. Whatever is pushed then is not looked at. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Takes the next bytes, in any cutting, and gives the transaction events of the records that end in them. The bytes are not
   * kept.
   * @throws TidemarkError TM-WAL-002 with the position where the bytes are not valid WAL, TM-WAL-005 for another version. The
   * parser is of no use afterwards and throws the same again
   */
  push(bytes: Uint8Array): TransactionEvent[] {
    if (this.#failure !== undefined) throw this.#failure;
    this.#events = [];
    try {
      this.#consume(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#whole.clear();
    }
    return this.#events;
  }

  #consume(bytes: Buffer): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let offset = 0;
    while (offset < bytes.length) {
      const left = bytes.length - offset;
      if (this.#ended) {
        this.#position += left;
        return;
      }
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, left);
        this.#skip -= skipped;
        this.#position += skipped;
        offset += skipped;
        continue;
      }
      const inPage = this.#position & (WAL_PAGE_BYTES - 1);
      const headerBytes = this.#pageHeaderBytes(this.#position - inPage);
      if (inPage < headerBytes) {
        const taken = Math.min(headerBytes - inPage, left);
        bytes.copy(this.#pageHeader, inPage, offset, offset + taken);
        this.#position += taken;
        offset += taken;
        if (inPage + taken === headerBytes) this.#enterPage(headerBytes);
      } else {
        const end = offset + Math.min(WAL_PAGE_BYTES - inPage, left);
        offset = this.#readInPage(bytes, view, offset, end);
      }
    }
  }

  #pageHeaderBytes(page: number): number {
    return page % this.#segmentBytes === 0 ? LONG_PAGE_HEADER_BYTES : PAGE_HEADER_BYTES;
  }

  /** The header of a page has been read; the position is behind it. */
  #enterPage(headerBytes: number): void {
    const page = this.#position - headerBytes;
    const header = readPageHeader(this.#pageHeader.subarray(0, headerBytes));
    if (header.magic === 0 && this.#mayEnd(this.#pageHeader.subarray(0, headerBytes))) return;
    this.#pages.check(this.#positions.lsn(page), header);
    const continued = (header.flags & PAGE_FLAG.continued) !== 0;
    if ((header.flags & PAGE_FLAG.overwritten) !== 0) {
      if (continued) throw this.#damaged(page, 'a page goes on with a record that it says was given up');
      this.#dropRecord();
      return;
    }
    const remaining = this.#record === NO_POSITION ? this.#foreign : this.#bytesToCome(page);
    if (this.#searching && this.#foreign === 0 && continued) {
      this.#foreign = header.remainingBytes;
      if (this.#foreign === 0 || this.#foreign > RECORD_BYTES_MAX) {
        throw this.#damaged(page, `a page goes on with ${header.remainingBytes} bytes of a record`);
      }
    } else if (continued !== remaining > 0 || (continued && header.remainingBytes !== remaining)) {
      const there = continued ? `${header.remainingBytes} bytes` : 'none';
      throw this.#damaged(page, `a page goes on with ${there} of a record of which ${remaining} bytes are left`);
    }
    if (this.#foreign === 0) this.#searching = false;
  }

  /** Of the record being read. Its length is known: records are aligned, so that a page holds at least its first 8 bytes. */
  #bytesToCome(page: number): number {
    const { headerBytes, remaining, totalLength } = this.#partial;
    if (headerBytes === RECORD_HEADER_BYTES) return remaining;
    if (totalLength < RECORD_HEADER_BYTES || totalLength > RECORD_BYTES_MAX) {
      throw this.#damaged(
        this.#record,
        `a record of ${totalLength} bytes before the page at ${this.#positions.text(page)}`,
      );
    }
    return totalLength - headerBytes;
  }

  #dropRecord(): void {
    if (this.#record !== NO_POSITION) this.#chain.giveUp(this.#record);
    this.#record = NO_POSITION;
    this.#partial.begin();
    this.#foreign = 0;
    this.#searching = false;
  }

  /** Reads records from the bytes [start, end), which lie in one page behind its header. Returns where it stopped. */
  #readInPage(bytes: Buffer, view: DataView, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#record === NO_POSITION) {
        if (this.#foreign > 0) {
          at = this.#skipForeign(at, end);
          if (this.#foreign > 0) continue;
          return at;
        }
        this.#record = this.#position;
        if (end - at >= RECORD_HEADER_BYTES) {
          const totalLength = view.getUint32(at, true);
          if (totalLength === 0 && this.#mayEnd(bytes.subarray(at, at + RECORD_HEADER_BYTES))) return at;
          this.#chain.checkHeader(this.#record, view, at);
          if (end - at >= totalLength) {
            const bodyStart = at + RECORD_HEADER_BYTES;
            const recordEnd = at + totalLength;
            this.#checkCrc(updateCrc32c(CRC32C_INITIAL, view, bodyStart, recordEnd), view, at);
            this.#position += totalLength;
            this.#finishRecord(totalLength, view, at, bytes, bodyStart, recordEnd);
            at = recordEnd;
            if (this.#skip === 0) continue;
            if (this.#skip > end - at) return at;
            at += this.#skip;
            this.#position += this.#skip;
            this.#skip = 0;
            continue;
          }
        }
        this.#partial.begin();
      }
      const reached = this.#takePart(bytes, view, at, end);
      if (this.#ended || this.#record === NO_POSITION) return reached;
      at = reached;
    }
    return at;
  }

  /** Of a record from before the first page. Returns where what follows it begins. */
  #skipForeign(at: number, end: number): number {
    const skipped = Math.min(this.#foreign, end - at);
    this.#foreign -= skipped;
    this.#position += skipped;
    if (this.#foreign === 0) {
      this.#searching = false;
      this.#skip = -this.#position & 7;
    }
    return at + skipped;
  }

  /** Takes the next part of a record that does not lie in one piece: of its header, or of its body. Returns where that part ends. */
  #takePart(bytes: Buffer, view: DataView, start: number, end: number): number {
    const partial = this.#partial;
    let at: number;
    if (partial.headerBytes < RECORD_HEADER_BYTES) {
      at = partial.takeHeader(bytes, start, end);
      this.#position += at - start;
      if (partial.headerBytes < RECORD_HEADER_BYTES) return at;
      if (partial.totalLength === 0 && this.#mayEnd(partial.header)) return at;
      this.#chain.checkHeader(this.#record, partial.headerView, 0);
      partial.beginBody(this.#bodyBytesWanted());
    } else {
      at = partial.takeBody(bytes, view, start, end);
      this.#position += at - start;
    }
    if (partial.remaining > 0) return at;
    this.#checkCrc(partial.crc, partial.headerView, 0);
    this.#finishRecord(partial.totalLength, partial.headerView, 0, partial.bytes, 0, partial.keptBytes);
    partial.release();
    return at;
  }

  #bodyBytesWanted(): number {
    if (this.#chain.awaitsOverwrite) return RECORD_BYTES_MAX;
    const { header, totalLength } = this.#partial;
    return this.#reader.bodyBytesWanted(header.readUInt8(17), header.readUInt8(16), totalLength - RECORD_HEADER_BYTES);
  }

  /** @param bodyCrc the running checksum of the body; the header's follows */
  #checkCrc(bodyCrc: number, view: DataView, at: number): void {
    if (finishCrc32c(updateCrc32c(bodyCrc, view, at, at + 20)) !== view.getUint32(at + 20, true)) {
      throw this.#damaged(this.#record, 'a record whose checksum is wrong');
    }
  }

  /** The position is one past the record's last byte. Its header lies in `view` at `at`, what is kept of its body in `bytes`. */
  #finishRecord(
    totalLength: number,
    view: DataView,
    at: number,
    bytes: Buffer,
    bodyStart: number,
    bodyEnd: number,
  ): void {
    const record = this.#whole;
    record.set(this.#record, this.#position, totalLength, view, at);
    record.setBody(bytes, bodyStart, bodyEnd);
    if (this.#chain.awaitsOverwrite) this.#chain.checkOverwrite(record);
    const event = this.#reader.read(record);
    if (event !== null) this.#events.push(event);
    this.#chain.append(this.#record);
    this.#record = NO_POSITION;
    this.#partial.begin();
    const switched = record.manager === RESOURCE_MANAGER.xlog && (record.info & 0xf0) === XLOG_RECORD.switch;
    this.#skip = switched ? -this.#position & (this.#segmentBytes - 1) : -this.#position & 7;
  }

  /** Whether zeros where something should begin are the end of the WAL. Else they are damage, which the caller's checks report. */
  #mayEnd(found: Buffer): boolean {
    if (this.#options.zerosMayFollow !== true || !found.every((byte) => byte === 0)) return false;
    this.#ended = true;
    return true;
  }

  #damaged(position: number, reason: string): TidemarkError {
    return this.#positions.damaged(position, reason);
  }
}
