import { gatherDroppedRelations } from './block-gatherer.ts';
import type { ChangedBlockCollector } from './changed-block-collector.ts';
import { DecisionRowReader, INSERT_BODY_BYTES_MAX } from './decision-row-reader.ts';
import type { ZstdDecompress } from './page-image.ts';
import { readPlainEnd } from './plain-transaction-end.ts';
import type { TransactionEvent } from './transaction-event.ts';
import { NO_SUBXIDS, readTransactionRecord } from './transaction-record.ts';
import { RECORD_BYTES_MAX, RESOURCE_MANAGER, XLOG_RECORD } from './wal-record.ts';
import type { WholeRecord } from './whole-record.ts';

const HEAP_KIND_BITS = 0x70;
const HEAP_INSERT = 0x00;
const STORAGE_CREATE = 0x10;

/** What a record says about a transaction, without its position. */
type EventContent = Pick<TransactionEvent, 'kind' | 'xid' | 'databaseOid' | 'gid' | 'timeUs' | 'subxids'>;

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
   * The event of one record; null if it is none.
   * @param majorVersion null if it is not known yet
   * @param changedBlocks is given what a transaction's end drops
   * @throws RangeError if the bytes cannot be such a record
   */
  read(
    record: WholeRecord,
    majorVersion: number | null,
    changedBlocks: ChangedBlockCollector | undefined,
  ): TransactionEvent | null {
    const { manager, info } = record;
    if (manager === RESOURCE_MANAGER.transaction) {
      return readPlainEnd(record) ?? readTransaction(record, majorVersion, changedBlocks);
    }
    if (isInsert(manager, info)) {
      const row = this.#rows.read(record, majorVersion ?? 15);
      return row === null ? null : eventOf({ kind: 'decision-row', ...row, timeUs: 0n, subxids: NO_SUBXIDS }, record);
    }
    if (manager === RESOURCE_MANAGER.storage && (info & 0xf0) === STORAGE_CREATE) this.#rows.relationMade();
    if (manager === RESOURCE_MANAGER.xlog) {
      const kind = info & 0xf0;
      if (kind === XLOG_RECORD.shutdownCheckpoint || kind === XLOG_RECORD.endOfRecovery) {
        return eventOf({ kind: 'restart', xid: 0, databaseOid: 0, timeUs: 0n, subxids: NO_SUBXIDS }, record);
      }
    }
    return null;
  }
}

function isInsert(manager: number, info: number): boolean {
  return manager === RESOURCE_MANAGER.heap && (info & HEAP_KIND_BITS) === HEAP_INSERT;
}

function readTransaction(
  record: WholeRecord,
  majorVersion: number | null,
  changedBlocks: ChangedBlockCollector | undefined,
): TransactionEvent | null {
  const { xid, info } = record;
  const read = readTransactionRecord({ xid, info, body: record.body(), majorVersion });
  if (read === null) return null;
  if (changedBlocks !== undefined) gatherDroppedRelations(changedBlocks, read.droppedRelations);
  return eventOf(read.record, record);
}

/** Names each property: spreading the content takes several times as long as reading it. */
function eventOf(content: EventContent, record: WholeRecord): TransactionEvent {
  const { kind, xid, databaseOid, timeUs, subxids, gid } = content;
  const { lsn, endLsn, previousLsn } = record;
  if (gid === undefined) return { kind, xid, databaseOid, timeUs, subxids, lsn, endLsn, previousLsn };
  return { kind, xid, databaseOid, timeUs, subxids, lsn, endLsn, previousLsn, gid };
}
