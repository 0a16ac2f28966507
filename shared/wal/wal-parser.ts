import type { Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent } from './transaction-event.ts';
import type { WalRecord } from './wal-record.ts';

export interface WalParserOptions {
  /** Pages of this timeline or, in the copied start of a segment after a switch, of an earlier one. */
  readonly timeline: number;
  /** Size of a WAL segment: a power of two from 1 MiB to 1 GiB. */
  readonly segmentBytes: number;
  /** In decimal. */
  readonly systemIdentifier: string;
  /** Position of the first byte that will be pushed. */
  readonly startLsn: Lsn;
  /** True: a record starts at `startLsn`. False: `startLsn` is a page's start, and a record continued from before is skipped. */
  readonly atRecord: boolean;
  /** Called for every record, in order. */
  readonly onRecord?: (record: WalRecord) => void;
}

export class WalParser {
  readonly #options: WalParserOptions;

  constructor(options: WalParserOptions) {
    this.#options = options;
  }

  /** End of the bytes pushed. */
  get positionLsn(): Lsn {
    return this.#options.startLsn;
  }

  /** Start of the first record that does not end at or before `positionLsn`. */
  get nextRecordLsn(): Lsn {
    return this.#options.startLsn;
  }

  /** Start of the last record that ends at or before `positionLsn`; NO_LSN if none was seen. */
  get lastRecordLsn(): Lsn {
    return this.#options.startLsn;
  }

  /**
   * Takes the next bytes, in any cutting, and gives the transaction events of the records that end in them.
   * @throws TidemarkError TM-WAL-002 with the position where the bytes are not valid WAL, TM-WAL-005 for another version
   */
  push(_bytes: Uint8Array): TransactionEvent[] {
    throw new Error('not there yet');
  }
}
