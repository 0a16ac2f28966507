import type { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, lsn } from '../postgres/lsn.ts';
import { NO_POSITION, type WalPositions } from './wal-positions.ts';
import {
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RESOURCE_MANAGER,
  RESOURCE_MANAGER_BUILT_IN_MAX,
  RESOURCE_MANAGER_CUSTOM_MIN,
  XLOG_RECORD,
} from './wal-record.ts';
import { joinHalves } from './wide-integer.ts';
import type { WholeRecord } from './whole-record.ts';

/**
 * The records of one WAL history, in order: each names the one before it, and one that was given up in a crash is named by the one
 * that comes in its place.
 */
export class RecordChain {
  readonly #positions: WalPositions;
  #last = NO_POSITION;
  #lastLow = 0;
  #lastHigh = 0;
  #givenUp = NO_POSITION;

  constructor(positions: WalPositions) {
    this.#positions = positions;
  }

  /** Start of the last record, NO_POSITION at first. */
  get last(): number {
    return this.#last;
  }

  /** A record was given up, and the next one has to say so. */
  get awaitsOverwrite(): boolean {
    return this.#givenUp !== NO_POSITION;
  }

  giveUp(record: number): void {
    this.#givenUp = record;
  }

  /**
   * Whether the record that starts at `record` can be the next one, by its header, which lies in `view` at `at`.
   * @throws TidemarkError TM-WAL-002 if it cannot
   */
  checkHeader(record: number, view: DataView, at: number): void {
    const totalLength = view.getUint32(at, true);
    if (totalLength < RECORD_HEADER_BYTES || totalLength > RECORD_BYTES_MAX) {
      throw this.#positions.damaged(record, `a record of ${totalLength} bytes`);
    }
    const previousLow = view.getUint32(at + 8, true);
    const previousHigh = view.getUint32(at + 12, true);
    if (this.#last === NO_POSITION) {
      // Its predecessor began before the first byte. Else something was passed over as the rest of that one, which no checksum covers.
      const { first } = this.#positions;
      const high = this.#positions.high(first);
      const before = previousHigh < high || (previousHigh === high && previousLow < this.#positions.low(first));
      if (!before) throw this.#wrongPredecessor(record, previousHigh, previousLow);
    } else if (previousLow !== this.#lastLow || previousHigh !== this.#lastHigh) {
      throw this.#wrongPredecessor(record, previousHigh, previousLow);
    }
    const manager = view.getUint8(at + 17);
    if (manager > RESOURCE_MANAGER_BUILT_IN_MAX && manager < RESOURCE_MANAGER_CUSTOM_MIN) {
      throw this.#positions.damaged(record, `a record of the unknown resource manager ${manager}`);
    }
  }

  /**
   * A record was dropped because its page said so: the next one has to name it, or the page was damaged.
   * @throws TidemarkError TM-WAL-002 if it does not
   */
  checkOverwrite(record: WholeRecord): void {
    const dropped = this.#positions.lsn(this.#givenUp);
    this.#givenUp = NO_POSITION;
    const body = record.body();
    const names = record.manager === RESOURCE_MANAGER.xlog && (record.info & 0xf0) === XLOG_RECORD.overwriteContrecord;
    // A fragment header of 2 bytes, then the position and a time.
    if (!names || body.length < 10 || body.readBigUInt64LE(2) !== dropped) {
      const reason = `a record that should say that the one at ${formatLsn(dropped)} was given up`;
      throw this.#positions.damaged(record.start, reason);
    }
  }

  append(record: number): void {
    this.#last = record;
    this.#lastLow = this.#positions.low(record);
    this.#lastHigh = this.#positions.high(record);
  }

  #wrongPredecessor(record: number, high: number, low: number): TidemarkError {
    const named = formatLsn(lsn(joinHalves(high, low)));
    const known = this.#last === NO_POSITION ? 'one before the first byte' : this.#positions.text(this.#last);
    return this.#positions.damaged(record, `a record that follows the one at ${named}, expected was ${known}`);
  }
}
