import { assert } from '../errors/assert.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { CRC32C_INITIAL, finishCrc32c, updateCrc32c } from '../postgres/crc32c.ts';
import { formatLsn, lsn, NO_LSN, type Lsn } from '../postgres/lsn.ts';
import { checkSegmentBytes } from '../postgres/wal-segment.ts';
import { gatherBlocks, gatherDroppedRelations } from './block-gatherer.ts';
import type { ChangedBlockCollector } from './changed-block-collector.ts';
import { EventReader } from './event-reader.ts';
import { damagedWal, PageSequence } from './page-sequence.ts';
import type { ZstdDecompress } from './page-image.ts';
import { FRAGMENT_BYTES_MAX, readFragments } from './record-fragments.ts';
import type { TransactionEvent } from './transaction-event.ts';
import { LONG_PAGE_HEADER_BYTES, PAGE_FLAG, PAGE_HEADER_BYTES, readPageHeader, WAL_PAGE_BYTES } from './wal-page.ts';
import {
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RESOURCE_MANAGER,
  RESOURCE_MANAGER_BUILT_IN_MAX,
  RESOURCE_MANAGER_CUSTOM_MIN,
  XLOG_RECORD,
  joinHalves,
  previousOf,
  type WalRecord,
} from './wal-record.ts';

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

const HALF = 0x1_0000_0000;
const NO_RECORD = -1;
const CAPTURE_BYTES_KEPT = 1024 * 1024;
/** Resource managers of whose records more is gathered than the blocks that they refer to. */
const GATHERED_WHOLE: ReadonlySet<number> = new Set([RESOURCE_MANAGER.storage, RESOURCE_MANAGER.database]);

/**
 * Reads one WAL history from any position on, in any cutting of its bytes, without I/O. What it has accepted is whole: every
 * page has the right address, system and timeline, every record the right checksum and predecessor. It holds at
 * most one record's start, or a transaction's record; the rest of a long record is only summed up.
 *
 * Positions are kept as numbers, counted from the start of the 4 GiB of WAL that the first byte lies in.
 */
export class WalParser {
  readonly #options: WalParserOptions;
  readonly #baseHigh: number;
  readonly #base: bigint;
  readonly #segmentBytes: number;
  readonly #readsFragments: boolean;

  /** Of the first byte pushed. */
  readonly #start: number;
  /** End of the bytes pushed. */
  #position: number;
  readonly #pages: PageSequence;
  readonly #reader: EventReader;
  readonly #pageHeader = Buffer.alloc(LONG_PAGE_HEADER_BYTES);

  /** True until a record's start is known: at first, if the bytes do not begin with one. */
  #searching: boolean;
  /** Bytes that belong to no record of ours: the rest of a record from before the first page, padding, what follows a SWITCH. */
  #skip = 0;
  /** Of a record from before the first page, still to be skipped. */
  #foreign = 0;

  /** The record being read; its header may be incomplete. */
  #record = NO_RECORD;
  #headerFilled = 0;
  readonly #header = Buffer.alloc(RECORD_HEADER_BYTES);
  readonly #headerView = new DataView(this.#header.buffer, this.#header.byteOffset, RECORD_HEADER_BYTES);
  #totalLength = 0;
  /** Of the body. */
  #remaining = 0;
  #crc = CRC32C_INITIAL;
  #captureLimit = 0;
  #captured = 0;
  #capture = Buffer.alloc(0);

  #last = NO_RECORD;
  #lastLow = 0;
  #lastHigh = 0;
  /** Start of a record that was given up in a crash; the next record must say so. */
  #overwritten = NO_RECORD;

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
    this.#readsFragments = options.onRecord !== undefined || options.changedBlocks !== undefined;
    this.#baseHigh = Number(options.startLsn >> 32n);
    this.#base = BigInt(this.#baseHigh) << 32n;
    this.#position = Number(options.startLsn - this.#base);
    this.#start = this.#position;
    this.#pages = new PageSequence(options);
    this.#reader = new EventReader(options.zstd);
    this.#searching = atPage;
  }

  /** End of the bytes pushed. */
  get positionLsn(): Lsn {
    return this.#lsn(this.#position);
  }

  /**
   * Start of the first record that does not end at or before `positionLsn`. While the rest of a record from before the first
   * byte is being skipped it is `startLsn`, which is a page's start then. At `positionLsn` or before, unless padding or
   * a page header lies between.
   */
  get nextRecordLsn(): Lsn {
    if (this.#searching) return this.#options.startLsn;
    if (this.#record !== NO_RECORD) return this.#lsn(this.#record);
    const next = this.#position + this.#skip;
    const page = next - (next % WAL_PAGE_BYTES);
    return this.#lsn(Math.max(next, page + this.#pageHeaderBytes(page)));
  }

  /** Start of the last record that ends at or before `positionLsn`; NO_LSN if none was read. */
  get lastRecordLsn(): Lsn {
    return this.#last === NO_RECORD ? NO_LSN : this.#lsn(this.#last);
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
      const inPage = this.#position % WAL_PAGE_BYTES;
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
    this.#pages.check(this.#lsn(page), header);
    const continued = (header.flags & PAGE_FLAG.continued) !== 0;
    if ((header.flags & PAGE_FLAG.overwritten) !== 0) {
      if (continued) throw this.#damaged(page, 'a page goes on with a record that it says was given up');
      this.#dropRecord();
      return;
    }
    const remaining = this.#record === NO_RECORD ? this.#foreign : this.#bytesToCome(page);
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
    if (this.#headerFilled === RECORD_HEADER_BYTES) return this.#remaining;
    const totalLength = this.#headerView.getUint32(0, true);
    if (totalLength < RECORD_HEADER_BYTES || totalLength > RECORD_BYTES_MAX) {
      throw this.#damaged(this.#record, `a record of ${totalLength} bytes before the page at ${this.#text(page)}`);
    }
    return totalLength - this.#headerFilled;
  }

  #dropRecord(): void {
    if (this.#record !== NO_RECORD) this.#overwritten = this.#record;
    this.#record = NO_RECORD;
    this.#headerFilled = 0;
    this.#remaining = 0;
    this.#foreign = 0;
    this.#searching = false;
  }

  /** Reads records from the bytes [start, end), which lie in one page behind its header. Returns where it stopped. */
  #readInPage(bytes: Buffer, view: DataView, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#record === NO_RECORD) {
        if (this.#foreign > 0) {
          const skipped = Math.min(this.#foreign, end - at);
          this.#foreign -= skipped;
          this.#position += skipped;
          at += skipped;
          if (this.#foreign > 0) continue;
          this.#searching = false;
          this.#skip = -this.#position & 7;
          return at;
        }
        this.#record = this.#position;
        if (end - at >= RECORD_HEADER_BYTES) {
          const totalLength = view.getUint32(at, true);
          if (totalLength === 0 && this.#mayEnd(bytes.subarray(at, at + RECORD_HEADER_BYTES))) return at;
          this.#totalLength = totalLength;
          this.#checkHeader(view, at);
          if (end - at >= totalLength) {
            this.#checkCrc(updateCrc32c(CRC32C_INITIAL, view, at + RECORD_HEADER_BYTES, at + totalLength), view, at);
            this.#position += totalLength;
            this.#finishRecord(view, at, bytes, at + RECORD_HEADER_BYTES, at + totalLength);
            at += totalLength;
            if (this.#skip === 0) continue;
            if (this.#skip > end - at) return at;
            at += this.#skip;
            this.#position += this.#skip;
            this.#skip = 0;
            continue;
          }
        }
        this.#headerFilled = 0;
      }
      if (this.#headerFilled < RECORD_HEADER_BYTES) {
        const taken = Math.min(RECORD_HEADER_BYTES - this.#headerFilled, end - at);
        bytes.copy(this.#header, this.#headerFilled, at, at + taken);
        this.#headerFilled += taken;
        this.#position += taken;
        at += taken;
        if (this.#headerFilled < RECORD_HEADER_BYTES) continue;
        this.#totalLength = this.#headerView.getUint32(0, true);
        if (this.#totalLength === 0 && this.#mayEnd(this.#header)) return at;
        this.#checkHeader(this.#headerView, 0);
        this.#beginBody();
      } else {
        const taken = Math.min(this.#remaining, end - at);
        this.#crc = updateCrc32c(this.#crc, view, at, at + taken);
        if (this.#captured < this.#captureLimit) this.#captureBytes(bytes, at, taken);
        this.#remaining -= taken;
        this.#position += taken;
        at += taken;
      }
      if (this.#remaining === 0) {
        this.#checkCrc(this.#crc, this.#headerView, 0);
        this.#finishRecord(this.#headerView, 0, this.#capture, 0, this.#captured);
        if (this.#capture.length > CAPTURE_BYTES_KEPT) this.#capture = Buffer.alloc(0);
        return at;
      }
    }
    return at;
  }

  #beginBody(): void {
    this.#remaining = this.#totalLength - RECORD_HEADER_BYTES;
    this.#crc = CRC32C_INITIAL;
    this.#captured = 0;
    const manager = this.#header.readUInt8(17);
    const whole = this.#overwritten !== NO_RECORD || GATHERED_WHOLE.has(manager);
    const wanted = this.#reader.bodyBytesWanted(manager, this.#header.readUInt8(16), this.#remaining);
    const limit = whole ? RECORD_BYTES_MAX : Math.max(wanted, this.#readsFragments ? FRAGMENT_BYTES_MAX : 0);
    this.#captureLimit = Math.min(limit, this.#remaining);
  }

  /** The buffer grows with the bytes that came, never by what a header announces. */
  #captureBytes(bytes: Buffer, at: number, length: number): void {
    const wanted = Math.min(length, this.#captureLimit - this.#captured);
    if (this.#captured + wanted > this.#capture.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * this.#capture.length, this.#captured + wanted, FRAGMENT_BYTES_MAX));
      this.#capture.copy(grown, 0, 0, this.#captured);
      this.#capture = grown;
    }
    bytes.copy(this.#capture, this.#captured, at, at + wanted);
    this.#captured += wanted;
  }

  #checkHeader(view: DataView, at: number): void {
    const totalLength = this.#totalLength;
    if (totalLength < RECORD_HEADER_BYTES || totalLength > RECORD_BYTES_MAX) {
      throw this.#damaged(this.#record, `a record of ${totalLength} bytes`);
    }
    const previousLow = view.getUint32(at + 8, true);
    const previousHigh = view.getUint32(at + 12, true);
    if (this.#last === NO_RECORD) {
      // Its predecessor began before the first byte. Else something was passed over as the rest of that one, which no checksum covers.
      const high = this.#high(this.#start);
      const before = previousHigh < high || (previousHigh === high && previousLow < this.#start % HALF);
      if (!before) throw this.#wrongPredecessor(previousHigh, previousLow);
    } else if (previousLow !== this.#lastLow || previousHigh !== this.#lastHigh) {
      throw this.#wrongPredecessor(previousHigh, previousLow);
    }
    const manager = view.getUint8(at + 17);
    if (manager > RESOURCE_MANAGER_BUILT_IN_MAX && manager < RESOURCE_MANAGER_CUSTOM_MIN) {
      throw this.#damaged(this.#record, `a record of the unknown resource manager ${manager}`);
    }
  }

  #wrongPredecessor(high: number, low: number): TidemarkError {
    const named = formatLsn(joinHalves(high, low));
    const known = this.#last === NO_RECORD ? 'one before the first byte' : this.#text(this.#last);
    return this.#damaged(this.#record, `a record that follows the one at ${named}, expected was ${known}`);
  }

  /** @param bodyCrc the running checksum of the body; the header's follows */
  #checkCrc(bodyCrc: number, view: DataView, at: number): void {
    if (finishCrc32c(updateCrc32c(bodyCrc, view, at, at + 20)) !== view.getUint32(at + 20, true)) {
      throw this.#damaged(this.#record, 'a record whose checksum is wrong');
    }
  }

  /** The position is one past the record's last byte. Its header lies in `view` at `at`, what is kept of its body in `bytes`. */
  #finishRecord(view: DataView, at: number, bytes: Buffer, bodyStart: number, bodyEnd: number): void {
    const manager = view.getUint8(at + 17);
    const info = view.getUint8(at + 16);
    if (this.#overwritten !== NO_RECORD) this.#checkOverwrite(manager, info, bytes.subarray(bodyStart, bodyEnd));
    this.#readEvent(view, at, manager, info, bytes, bodyStart, bodyEnd);
    if (this.#options.changedBlocks !== undefined) {
      this.#gatherBlocks(this.#options.changedBlocks, manager, info, bytes, bodyStart, bodyEnd);
    }
    this.#options.onRecord?.(this.#describe(view, at, bytes.subarray(bodyStart, bodyEnd)));
    this.#last = this.#record;
    this.#lastLow = this.#record % HALF;
    this.#lastHigh = this.#high(this.#record);
    this.#record = NO_RECORD;
    this.#headerFilled = 0;
    const switched = manager === RESOURCE_MANAGER.xlog && (info & 0xf0) === XLOG_RECORD.switch;
    this.#skip = switched ? -this.#position & (this.#segmentBytes - 1) : -this.#position & 7;
  }

  #readEvent(
    view: DataView,
    at: number,
    manager: number,
    info: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const xid = view.getUint32(at + 4, true);
    let read;
    try {
      read = this.#reader.read({ manager, info, xid, bytes, start, end, majorVersion: this.#pages.majorVersion });
    } catch (error) {
      throw this.#damaged(this.#record, `a record of a transaction that is not understood: ${String(error)}`, error);
    }
    if (read === null) return;
    const { event, droppedRelations } = read;
    if (this.#options.changedBlocks !== undefined && droppedRelations !== undefined) {
      gatherDroppedRelations(this.#options.changedBlocks, droppedRelations);
    }
    this.#events.push({
      ...event,
      lsn: this.#lsn(this.#record),
      endLsn: this.#lsn(this.#position),
      previousLsn: previousOf(view, at),
    });
  }

  #gatherBlocks(
    collector: ChangedBlockCollector,
    manager: number,
    info: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { majorVersion } = this.#pages;
    assert(majorVersion !== null, 'the version is given or a page was read before blocks are gathered');
    try {
      gatherBlocks(collector, manager, info, bytes, start, end, this.#totalLength - RECORD_HEADER_BYTES, majorVersion);
    } catch (error) {
      throw this.#damaged(this.#record, `a record that is not understood: ${String(error)}`, error);
    }
  }

  /** A record was dropped because its page said so: the next record has to name it, or the page was damaged. */
  #checkOverwrite(manager: number, info: number, body: Buffer): void {
    const dropped = this.#lsn(this.#overwritten);
    this.#overwritten = NO_RECORD;
    const names = manager === RESOURCE_MANAGER.xlog && (info & 0xf0) === XLOG_RECORD.overwriteContrecord;
    // A fragment header of 2 bytes, then the position and a time.
    if (!names || body.length < 10 || body.readBigUInt64LE(2) !== dropped) {
      throw this.#damaged(this.#record, `a record that should say that the one at ${formatLsn(dropped)} was given up`);
    }
  }

  #describe(view: DataView, at: number, body: Buffer): WalRecord {
    const record = this.#record;
    const totalLength = this.#totalLength;
    return {
      lsn: this.#lsn(record),
      endLsn: this.#lsn(this.#position),
      previousLsn: previousOf(view, at),
      xid: view.getUint32(at + 4, true),
      resourceManager: view.getUint8(at + 17),
      info: view.getUint8(at + 16),
      totalLength,
      fragments: () => {
        const { majorVersion } = this.#pages;
        assert(majorVersion !== null, 'the version is given or a page was read before fragments are');
        try {
          return readFragments(body, totalLength - RECORD_HEADER_BYTES, majorVersion);
        } catch (error) {
          throw this.#damaged(record, `a record that is not understood: ${String(error)}`, error);
        }
      },
    };
  }

  /** Whether zeros where something should begin are the end of the WAL. Else they are damage, which the caller's checks report. */
  #mayEnd(found: Buffer): boolean {
    if (this.#options.zerosMayFollow !== true || !found.every((byte) => byte === 0)) return false;
    this.#ended = true;
    return true;
  }

  #damaged(position: number, reason: string, cause?: unknown): TidemarkError {
    return damagedWal(this.#options.timeline, this.#lsn(position), reason, cause);
  }

  #text(position: number): string {
    return formatLsn(this.#lsn(position));
  }

  #lsn(position: number): Lsn {
    return lsn(this.#base + BigInt(position));
  }

  /** Upper half of the absolute position. */
  #high(position: number): number {
    return this.#baseHigh + Math.floor(position / HALF);
  }
}
