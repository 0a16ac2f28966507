import { assert } from '../errors/assert.ts';
import { gatherBlocks } from './block-gatherer.ts';
import type { ChangedBlockCollector } from './changed-block-collector.ts';
import { EventReader } from './event-reader.ts';
import type { PageSequence } from './page-sequence.ts';
import type { ZstdDecompress } from './page-image.ts';
import { FRAGMENT_BYTES_MAX, readFragments } from './record-fragments.ts';
import type { TransactionEvent } from './transaction-event.ts';
import type { WalPositions } from './wal-positions.ts';
import { RECORD_BYTES_MAX, RESOURCE_MANAGER, type WalRecord } from './wal-record.ts';
import type { WholeRecord } from './whole-record.ts';

/** Resource managers of whose records more is gathered than the blocks that they refer to. */
const GATHERED_WHOLE: ReadonlySet<number> = new Set([RESOURCE_MANAGER.storage, RESOURCE_MANAGER.database]);

interface RecordReaderOptions {
  readonly changedBlocks?: ChangedBlockCollector;
  readonly zstd?: ZstdDecompress;
  readonly onRecord?: (record: WalRecord) => void;
}

/** Reads of whole records what is wanted of them: transaction events, changed blocks, descriptions. */
export class RecordReader {
  readonly #changedBlocks: ChangedBlockCollector | undefined;
  readonly #onRecord: ((record: WalRecord) => void) | undefined;
  readonly #pages: PageSequence;
  readonly #positions: WalPositions;
  readonly #events: EventReader;

  constructor(options: RecordReaderOptions, pages: PageSequence, positions: WalPositions) {
    this.#changedBlocks = options.changedBlocks;
    this.#onRecord = options.onRecord;
    this.#pages = pages;
    this.#positions = positions;
    this.#events = new EventReader(options.zstd);
  }

  /** How much of what follows a record's header has to be there when it is read. */
  bodyBytesWanted(manager: number, info: number, bodyBytes: number): number {
    if (GATHERED_WHOLE.has(manager)) return RECORD_BYTES_MAX;
    const readsFragments = this.#onRecord !== undefined || this.#changedBlocks !== undefined;
    const wanted = this.#events.bodyBytesWanted(manager, info, bodyBytes);
    return Math.max(wanted, readsFragments ? FRAGMENT_BYTES_MAX : 0);
  }

  /**
   * The event that the record tells of; null if it is none.
   * @throws TidemarkError TM-WAL-002 if it is not understood
   */
  read(record: WholeRecord): TransactionEvent | null {
    const event = this.#readEvent(record);
    if (this.#changedBlocks !== undefined) this.#gatherBlocks(this.#changedBlocks, record);
    this.#onRecord?.(this.#describe(record));
    return event;
  }

  #readEvent(record: WholeRecord): TransactionEvent | null {
    try {
      return this.#events.read(record, this.#pages.majorVersion, this.#changedBlocks);
    } catch (error) {
      const reason = `a record of a transaction that is not understood: ${String(error)}`;
      throw this.#positions.damaged(record.start, reason, error);
    }
  }

  #gatherBlocks(collector: ChangedBlockCollector, record: WholeRecord): void {
    const { manager, info, bytes, bodyStart, bodyEnd, bodyBytes } = record;
    const { majorVersion } = this.#pages;
    assert(majorVersion !== null, 'the version is given or a page was read before blocks are gathered');
    try {
      gatherBlocks(collector, manager, info, bytes, bodyStart, bodyEnd, bodyBytes, majorVersion);
    } catch (error) {
      throw this.#positions.damaged(record.start, `a record that is not understood: ${String(error)}`, error);
    }
  }

  #describe(record: WholeRecord): WalRecord {
    const { start, totalLength, bodyBytes } = record;
    const body = record.body();
    return {
      lsn: record.lsn,
      endLsn: record.endLsn,
      previousLsn: record.previousLsn,
      xid: record.xid,
      resourceManager: record.manager,
      info: record.info,
      totalLength,
      fragments: () => {
        const { majorVersion } = this.#pages;
        assert(majorVersion !== null, 'the version is given or a page was read before fragments are');
        try {
          return readFragments(body, bodyBytes, majorVersion);
        } catch (error) {
          throw this.#positions.damaged(start, `a record that is not understood: ${String(error)}`, error);
        }
      },
    };
  }
}
