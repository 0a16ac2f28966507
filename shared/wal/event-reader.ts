import { DecisionRowReader, INSERT_BODY_BYTES_MAX } from './decision-row-reader.ts';
import type { ZstdDecompress } from './page-image.ts';
import type { TransactionEvent } from './transaction-event.ts';
import { readTransactionRecord, type ReadTransaction } from './transaction-record.ts';
import { RECORD_BYTES_MAX, RESOURCE_MANAGER, XLOG_RECORD } from './wal-record.ts';

/** What a record says about a transaction, without its position. */
type EventContent = Pick<TransactionEvent, 'kind' | 'xid' | 'databaseOid' | 'gid' | 'timeUs' | 'subxids'>;

/** A whole record, as far as its bytes are wanted. */
interface ReadRecord {
  readonly manager: number;
  readonly info: number;
  /** Of its header. */
  readonly xid: number;
  /** Hold from `start` to `end` what follows the header. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Null if it is not known yet. */
  readonly majorVersion: number | null;
}

const HEAP_KIND_BITS = 0x70;
const HEAP_INSERT = 0x00;
const STORAGE_CREATE = 0x10;

/** Finds the transaction events among the records of one WAL history. */
export class EventReader {
  readonly #rows: DecisionRowReader;

  constructor(zstd?: ZstdDecompress) {
    this.#rows = new DecisionRowReader(zstd);
  }

  /** How much of what follows a record's header has to be there when it is read. */
  bodyBytesWanted(manager: number, info: number, bodyBytes: number): number {
    if (manager === RESOURCE_MANAGER.transaction) return RECORD_BYTES_MAX;
    return isInsert(manager, info) && bodyBytes <= INSERT_BODY_BYTES_MAX ? INSERT_BODY_BYTES_MAX : 0;
  }

  /**
   * The event of one record, and for a transaction's end what it drops; null if it is none.
   * @throws RangeError if the bytes cannot be such a record
   */
  read(
    record: ReadRecord,
  ): (Partial<Pick<ReadTransaction, 'droppedRelations'>> & { readonly event: EventContent }) | null {
    const { manager, info, xid, bytes, start, end, majorVersion } = record;
    if (manager === RESOURCE_MANAGER.transaction) {
      const read = readTransactionRecord({ xid, info, body: bytes.subarray(start, end), majorVersion });
      return read === null ? null : { event: read.record, droppedRelations: read.droppedRelations };
    }
    if (isInsert(manager, info)) {
      const row = this.#rows.read({ xid, bytes, start, end, majorVersion: majorVersion ?? 15 });
      return row === null ? null : { event: { kind: 'decision-row', ...row, timeUs: 0n, subxids: [] } };
    }
    if (manager === RESOURCE_MANAGER.storage && (info & 0xf0) === STORAGE_CREATE) this.#rows.relationMade();
    if (manager === RESOURCE_MANAGER.xlog) {
      const kind = info & 0xf0;
      if (kind === XLOG_RECORD.shutdownCheckpoint || kind === XLOG_RECORD.endOfRecovery) {
        return { event: { kind: 'restart', xid: 0, databaseOid: 0, timeUs: 0n, subxids: [] } };
      }
    }
    return null;
  }
}

function isInsert(manager: number, info: number): boolean {
  return manager === RESOURCE_MANAGER.heap && (info & HEAP_KIND_BITS) === HEAP_INSERT;
}
