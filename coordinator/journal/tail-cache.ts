import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { ChangeSet } from '../../shared/wal/change-set.ts';

/** What a change set costs in memory besides its frame, roughly. */
const OVERHEAD_BYTES = 512;
const EVENT_BYTES = 200;

/**
 * The newest change sets of a stream, contiguous, up to the end of what was taken in. Those that are not durable yet are always
 * here; the others as long as there is room, so that a follower that keeps up reads no file.
 */
export class TailCache {
  readonly #bytesMax: number;
  #changeSets: ChangeSet[] = [];
  #first = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(changeSet: ChangeSet): void {
    this.#changeSets.push(changeSet);
    this.#bytes += costBytes(changeSet);
  }

  /** Lets go of the oldest that are durable while there are too many. */
  trim(durableLsn: Lsn): void {
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#changeSets[this.#first];
      if (oldest === undefined || oldest.endLsn > durableLsn) break;
      this.#bytes -= costBytes(oldest);
      this.#first++;
    }
    if (this.#first > 64 && this.#first * 2 > this.#changeSets.length) {
      this.#changeSets = this.#changeSets.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The change set that holds the byte at `position`; null if it is not here. */
  find(position: Lsn): ChangeSet | null {
    let low = this.#first;
    let high = this.#changeSets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const changeSet = this.#changeSets[middle];
      if (changeSet !== undefined && changeSet.endLsn <= position) low = middle + 1;
      else high = middle;
    }
    const found = this.#changeSets[low];
    return found !== undefined && found.startLsn <= position ? found : null;
  }
}

function costBytes(changeSet: ChangeSet): number {
  return changeSet.frame.length + changeSet.events.length * EVENT_BYTES + OVERHEAD_BYTES;
}
