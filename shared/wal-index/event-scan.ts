import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn } from '../postgres/lsn.ts';
import type { TransactionEvent, TransactionEventKind } from '../wal/transaction-event.ts';
import {
  EVENT_BITS,
  EVENT_KINDS,
  EVENTS_VERSION,
  EVENTS_VERSION_FIRST,
  RECORD_ALIGNMENT_BYTES,
  SHORT_BITS,
  SHORT_XID_BIAS,
} from './transaction-event-codec.ts';

/**
 * Walks through encoded transaction events without making an object of each: many millions a second, where
 * `decodeEvents` makes hundreds of thousands. The fields are those of the event that the scan stands on. Numbers up to 2^53 are
 * read, which is more WAL than a server can write and more time than a date can name.
 */
export class EventScan {
  kind: TransactionEventKind = 'commit';
  lsn = 0;
  endLsn = 0;
  previousLsn = 0;
  xid = 0;
  timeUs = 0;
  seeded = false;
  #databaseOid = 0;
  #gidStart = 0;
  #gidBytes = -1;
  #subxidsStart = -1;
  /** Of the last event in the short form. */
  #shortEndDistance = 0;
  #shortPreviousDistance = 0;
  #shortDatabaseOid = 0;
  #left: number;
  #at = 0;
  readonly #bytes: Buffer;
  readonly #isPrefix: boolean;

  /**
   * @param options.isPrefix the bytes may end in the middle: then `next` says no more, instead of damage
   * @throws TidemarkError TM-REPO-003, TM-REPO-008 as `decodeEvents`
   */
  constructor(bytes: Buffer, { isPrefix = false }: { readonly isPrefix?: boolean } = {}) {
    this.#bytes = bytes;
    this.#isPrefix = isPrefix;
    if (bytes.length === 0) {
      this.#left = 0;
      return;
    }
    const version = this.#byte();
    if (version < EVENTS_VERSION_FIRST || version > EVENTS_VERSION) {
      throw new TidemarkError(
        'TM-REPO-008',
        `transaction events have version ${version}, this program knows ${EVENTS_VERSION}`,
      );
    }
    this.#left = this.#unsigned();
  }

  /** Goes on to the next event; false at the end. @throws TidemarkError TM-REPO-003 if the bytes are damaged */
  next(): boolean {
    if (this.#left === 0) {
      if (this.#at !== this.#bytes.length && !this.#isPrefix) throw this.#damaged('bytes too many');
      return false;
    }
    // An event takes far less, but for its GID and its subtransactions: what a prefix cuts off is not looked at.
    if (this.#isPrefix && this.#bytes.length - this.#at < 1024) return false;
    this.#left--;
    const head = this.#byte();
    if ((head & SHORT_BITS.isShort) === 0) this.#readLong(head);
    else this.#readShort(head);
    if (this.#at > this.#bytes.length) throw this.#damaged('ends early');
    if (!isPosition(this.lsn) || !isPosition(this.endLsn) || !isPosition(this.previousLsn)) {
      throw this.#damaged('not a position');
    }
    if (this.xid < 0 || this.xid > 0xffff_ffff) throw this.#damaged(`${this.xid} is not a transaction's number`);
    return true;
  }

  #readShort(head: number): void {
    this.kind = (head & SHORT_BITS.abort) === 0 ? 'commit' : 'abort';
    this.lsn += this.#unsigned() * RECORD_ALIGNMENT_BYTES;
    if ((head & SHORT_BITS.end) !== 0) this.#shortEndDistance = this.#signed();
    if ((head & SHORT_BITS.previous) !== 0) this.#shortPreviousDistance = this.#signed();
    this.endLsn = this.lsn + this.#shortEndDistance;
    this.previousLsn = this.lsn - this.#shortPreviousDistance;
    const code = head & SHORT_BITS.xid;
    this.xid += code === 0 ? this.#signed() : code - SHORT_XID_BIAS;
    if ((head & SHORT_BITS.database) !== 0) this.#shortDatabaseOid = this.#unsigned();
    this.#databaseOid = this.#shortDatabaseOid;
    this.timeUs += this.#signed();
    this.seeded = false;
    this.#gidBytes = -1;
    this.#subxidsStart = -1;
  }

  #readLong(head: number): void {
    const kind = EVENT_KINDS[head & EVENT_BITS.kind];
    if (kind === undefined) throw this.#damaged('an unknown kind of event');
    this.kind = kind;
    this.lsn += this.#signed();
    this.endLsn = this.lsn + this.#signed();
    this.previousLsn = this.lsn - this.#signed();
    this.xid += this.#signed();
    this.#databaseOid = this.#unsigned();
    this.timeUs += this.#signed();
    this.seeded = (head & EVENT_BITS.seeded) !== 0;
    this.#gidBytes = -1;
    if ((head & EVENT_BITS.hasGid) !== 0) {
      this.#gidBytes = this.#unsigned();
      this.#gidStart = this.#at;
      this.#at += this.#gidBytes;
    }
    if ((head & EVENT_BITS.hasSubxids) !== 0) {
      this.#subxidsStart = this.#at;
      for (let count = this.#unsigned(); count > 0; count--) this.#signed();
    } else {
      this.#subxidsStart = -1;
    }
  }

  /** Goes on to the next event that has a time. */
  nextTimed(): boolean {
    while (this.next()) if (this.kind !== 'decision-row' && this.kind !== 'restart') return true;
    return false;
  }

  /** The event that the scan stands on. */
  whole(): TransactionEvent {
    const gid =
      this.#gidBytes < 0 ? {} : { gid: this.#bytes.toString('utf8', this.#gidStart, this.#gidStart + this.#gidBytes) };
    return {
      kind: this.kind,
      lsn: lsn(BigInt(this.lsn)),
      endLsn: lsn(BigInt(this.endLsn)),
      previousLsn: lsn(BigInt(this.previousLsn)),
      xid: this.xid,
      databaseOid: this.#databaseOid,
      ...gid,
      timeUs: BigInt(this.timeUs),
      subxids: this.#subxids(),
      ...(this.seeded ? { seeded: true } : {}),
    };
  }

  #subxids(): number[] {
    if (this.#subxidsStart < 0) return [];
    const end = this.#at;
    this.#at = this.#subxidsStart;
    let xid = this.xid;
    const subxids = Array.from({ length: this.#unsigned() }, () => (xid += this.#signed()));
    this.#at = end;
    return subxids;
  }

  #byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw this.#damaged('ends early');
    return value;
  }

  #unsigned(): number {
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.#byte();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80 && scale <= Number.MAX_SAFE_INTEGER);
    if (byte >= 0x80 || value > Number.MAX_SAFE_INTEGER) throw this.#damaged('a number is too large');
    return value;
  }

  #signed(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #damaged(reason: string): TidemarkError {
    return new TidemarkError('TM-REPO-003', `transaction events: ${reason} at byte ${this.#at}`);
  }
}

function isPosition(value: number): boolean {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}
