import { assert } from '../../shared/errors/assert.ts';
import { minLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';

interface Crossing {
  /** A record starts here, in an earlier segment, */
  readonly recordLsn: Lsn;
  /** and goes on at least to here. */
  endLsn: Lsn;
}

/**
 * What PostgreSQL may be told to be flushed. Never more than what the leader acknowledged as durable; and never so much that the start
 * of a record whose end is not durable falls into a segment that PostgreSQL could then remove: whoever resumes at the acknowledged
 * position has to read that record from its start. Nor ever less than the slot stands at: PostgreSQL would move the slot back, to WAL
 * that it may have removed, and then give the slot up as lost. A leader that was elected again may know an old position only.
 */
export class FlushPosition {
  readonly #segmentBytes: number;
  readonly #slotLsn: Lsn;
  readonly #crossings: Crossing[] = [];
  #sentLsn: Lsn;
  #acknowledgedLsn: Lsn = NO_LSN;

  /**
   * @param parseFromLsn start of the record that the stream's first byte lies in; `startLsn` if it lies in none
   * @param slotLsn the slot's restart position; NO_LSN if it has none
   */
  constructor(startLsn: Lsn, parseFromLsn: Lsn, segmentBytes: number, slotLsn: Lsn) {
    this.#sentLsn = startLsn;
    this.#slotLsn = slotLsn;
    this.#segmentBytes = segmentBytes;
    this.#noteCrossing(startLsn, parseFromLsn);
  }

  /** What the leader acknowledged. */
  get acknowledgedLsn(): Lsn {
    return this.#acknowledgedLsn;
  }

  /** End of the last change set. */
  get sentLsn(): Lsn {
    return this.#sentLsn;
  }

  /** A change set goes to the leader. */
  sent(changeSet: { readonly endLsn: Lsn; readonly nextRecordLsn: Lsn }): void {
    const { endLsn, nextRecordLsn } = changeSet;
    assert(endLsn > this.#sentLsn, 'change sets go forward');
    this.#sentLsn = endLsn;
    this.#noteCrossing(endLsn, nextRecordLsn);
  }

  /** The leader says what is durable; less than before changes nothing. */
  acknowledge(durableLsn: Lsn): void {
    if (durableLsn > this.#acknowledgedLsn) this.#acknowledgedLsn = minLsn(durableLsn, this.#sentLsn);
    while (this.#crossings[0] !== undefined && this.#crossings[0].endLsn < this.#acknowledgedLsn)
      this.#crossings.shift();
  }

  /** To be reported; NO_LSN until something was acknowledged that the slot does not know yet. */
  get flushLsn(): Lsn {
    const [crossing] = this.#crossings;
    const flushLsn = crossing === undefined ? this.#acknowledgedLsn : minLsn(crossing.recordLsn, this.#acknowledgedLsn);
    return flushLsn < this.#slotLsn ? NO_LSN : flushLsn;
  }

  #noteCrossing(endLsn: Lsn, recordLsn: Lsn): void {
    if (recordLsn >= endLsn || recordLsn >= segmentStart(endLsn, this.#segmentBytes)) return;
    const last = this.#crossings.at(-1);
    if (last?.recordLsn === recordLsn) last.endLsn = endLsn;
    else this.#crossings.push({ recordLsn, endLsn });
  }
}
