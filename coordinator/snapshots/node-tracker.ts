import { assert } from '../../shared/errors/assert.ts';
import { BranchHistory } from '../../shared/cuts/branch-history.ts';
import type { CarriedDecisions } from '../../shared/cuts/carried-decisions.ts';
import type { RecordPosition } from '../../shared/cuts/cut.ts';
import { lsn, maxLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { InDoubtDecision, SnapshotNode } from '../../shared/repository/snapshot-manifest.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { endsTransaction, type TransactionEvent } from '../../shared/wal/transaction-event.ts';

interface EventMark {
  readonly lsn: Lsn;
  readonly previousLsn: Lsn;
  /** It ends a transaction; a PREPARE does not. */
  readonly end: boolean;
}

interface ReadMark {
  readonly endLsn: Lsn;
  readonly lastRecordLsn: Lsn;
}

/**
 * What is known of one node from its WAL, read up to `readLsn`, without a hole from `heldFromLsn` on. Branches are kept until a cut settles them.
 * Ordinary transactions' ends are kept only while a collect is under way: a position sampled after its beginning lies at or
 * after everything that was read before it, so no later question reaches back further.
 */
export class NodeTracker {
  readonly node: string;
  readonly history: BranchHistory;
  #stream: WalStreamKey;
  #segmentBytes: number;
  #readLsn: Lsn = NO_LSN;
  #lastRecordLsn: Lsn = NO_LSN;
  /** Events that start at or before it were seen already. */
  #seenLsn: Lsn = NO_LSN;
  /** The last record of the snapshot that it started at. */
  #startLsn: Lsn = NO_LSN;
  /** Behind the last record that was read before the current collect began; null if that is not known. */
  #beforeCollectLsn: Lsn | null = null;
  #heldFromLsn: Lsn = NO_LSN;
  /** What is read next is the first behind a hole. */
  #crossing = false;
  #collecting = false;
  #events: EventMark[] = [];
  #marks: ReadMark[] = [];
  readonly #waiters = new Set<{ readonly lsn: Lsn; readonly resolve: () => void }>();

  constructor(stream: WalStreamKey, segmentBytes: number) {
    this.node = stream.node;
    this.history = new BranchHistory(stream.node, stream.timeline);
    this.#stream = stream;
    this.#segmentBytes = segmentBytes;
  }

  get stream(): WalStreamKey {
    return this.#stream;
  }

  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  /** The WAL was read up to here; NO_LSN if nothing was read. */
  get readLsn(): Lsn {
    return this.#readLsn;
  }

  /** No WAL is missing between it and `readLsn`; NO_LSN if none is missing since the reading began. */
  get heldFromLsn(): Lsn {
    return this.#heldFromLsn;
  }

  /** The WAL up to `toLsn` is not here: goes on there as where a stream begins. */
  crossHole(toLsn: Lsn): void {
    this.history.crossGap();
    this.#crossing = true;
    this.#heldFromLsn = toLsn;
    this.#startLsn = toLsn;
    this.#lastRecordLsn = NO_LSN;
    this.#beforeCollectLsn = null;
    this.#events = [];
    this.#marks = [];
  }

  /** Goes on from a snapshot's cut instead of from the stream's beginning. */
  startAtSnapshot(position: SnapshotNode, inDoubt: readonly InDoubtDecision[], carried: CarriedDecisions): void {
    assert(this.#readLsn === NO_LSN, 'a tracker starts once');
    this.history.startAtSnapshot(inDoubt, position.sampled ? position.sampledLsn : null, carried, position.targetLsn);
    this.#startLsn = position.targetLsn;
    this.#seenLsn = position.targetLsn;
    this.#lastRecordLsn = position.targetLsn;
    this.#readLsn = position.walEndLsn;
  }

  /**
   * Whether going on from `forkLsn` on another timeline needs something that is not kept any more: what ended after it is open again
   * there.
   */
  forgetsAfter(forkLsn: Lsn): boolean {
    return this.#startLsn >= forkLsn || this.history.forgetsAfter(forkLsn);
  }

  /** Goes on with another timeline, which left the one before at `forkLsn`; nothing after that was forgotten. */
  switchTimeline(stream: WalStreamKey, forkLsn: Lsn): void {
    assert(!this.forgetsAfter(forkLsn), 'what a timeline takes back is known');
    this.history.switchTimeline(stream.timeline, forkLsn);
    this.#stream = stream;
    this.#readLsn = this.#readLsn < forkLsn ? this.#readLsn : forkLsn;
    this.#seenLsn = this.#seenLsn < forkLsn ? this.#seenLsn : lsn(forkLsn - 1n);
    if (this.#lastRecordLsn >= forkLsn) {
      this.#lastRecordLsn = NO_LSN;
    }
    this.#beforeCollectLsn = null;
    this.#events = this.#events.filter((event) => event.lsn < forkLsn);
    this.#marks = this.#marks.filter((mark) => mark.endLsn <= forkLsn);
  }

  /** Takes the next change set; one that overlaps what was read is taken from there on. */
  apply(changeSet: ChangeSet): void {
    if (changeSet.endLsn <= this.#readLsn) {
      return;
    }
    assert(
      this.#readLsn === NO_LSN || this.#crossing || changeSet.startLsn <= this.#readLsn,
      'change sets follow each other without a hole',
    );
    const isNew = this.#readLsn === NO_LSN || this.#crossing;
    // A gap that was filled: what its last record was, which crosses into here, nobody has read.
    if (!isNew && changeSet.events[0]?.kind === 'beginning' && changeSet.startLsn >= this.#readLsn) {
      this.crossHole(changeSet.startLsn);
    }
    const beginning = isNew || this.#crossing;
    this.#crossing = false;
    for (const event of changeSet.events) {
      // Branches are seeded for the stream's beginning only; later every PREPARE is read.
      if (event.seeded === true ? beginning : event.lsn > this.#seenLsn) {
        this.#take(event);
      }
    }
    this.#readLsn = changeSet.endLsn;
    this.#lastRecordLsn = maxLsn(this.#lastRecordLsn, changeSet.lastRecordLsn);
    if (this.#collecting) {
      this.#marks.push({ endLsn: this.#readLsn, lastRecordLsn: this.#lastRecordLsn });
    }
    for (const waiter of this.#waiters) {
      if (waiter.lsn <= this.#readLsn) {
        waiter.resolve();
      }
    }
  }

  /** From now on until {@link endCollect} what is read is kept, so that positions sampled meanwhile can be looked up. */
  beginCollect(): void {
    this.#collecting = true;
    this.#beforeCollectLsn = this.#lastRecordLsn === NO_LSN ? null : lsn(this.#lastRecordLsn + 1n);
    this.#events = [];
    this.#marks = [{ endLsn: this.#readLsn, lastRecordLsn: this.#lastRecordLsn }];
  }

  endCollect(): void {
    this.#collecting = false;
    this.#beforeCollectLsn = null;
    this.#events = [];
    this.#marks = [];
  }

  /**
   * The wish of a node without a sample: whatever starts below it was read, and so written, before the current collect's first
   * reading. Null if there is none, or the timeline has changed since.
   */
  get beforeCollectLsn(): Lsn | null {
    return this.#beforeCollectLsn;
  }

  /** Whether a transaction ended, or a branch was prepared, in [fromLsn, toLsn). Positions must be of the current collect. */
  eventsIn(fromLsn: Lsn, toLsn: Lsn): { readonly ends: boolean; readonly any: boolean } {
    const events = this.#events.filter((event) => event.lsn >= fromLsn && event.lsn < toLsn);
    return { ends: events.some((event) => event.end), any: events.length > 0 };
  }

  /**
   * The recovery target that holds every event that starts before `limitLsn` and none after. Null if that cannot be said
   * yet: nothing was read at or after it.
   */
  positionAt(limitLsn: Lsn): RecordPosition | null {
    const next = this.#events.find((event) => event.lsn >= limitLsn);
    const mark = this.#marks.find((known) => known.endLsn >= limitLsn && known.lastRecordLsn !== NO_LSN);
    // The mark's change set may end before the next event's record does: then nothing lies between that has to be left out.
    if (mark !== undefined && (next === undefined || mark.lastRecordLsn < next.lsn)) {
      return { targetLsn: mark.lastRecordLsn, walEndLsn: mark.endLsn };
    }
    return next === undefined ? null : { targetLsn: next.previousLsn, walEndLsn: next.lsn };
  }

  /** Resolves once the WAL was read up to `lsn`; rejects with the signal's reason. */
  async waitForRead(lsn: Lsn, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#readLsn >= lsn) {
      return;
    }
    let settle = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const waiter = { lsn, resolve };
        const onAbort = () => reject(signal.reason as Error);
        this.#waiters.add(waiter);
        signal.addEventListener('abort', onAbort, { once: true });
        settle = () => {
          this.#waiters.delete(waiter);
          signal.removeEventListener('abort', onAbort);
        };
      });
    } finally {
      settle();
    }
  }

  #take(event: TransactionEvent): void {
    this.history.apply(event);
    if (event.seeded === true) {
      return;
    }
    this.#seenLsn = event.lsn;
    const end = endsTransaction(event);
    // Rows and restarts change nothing of what a cut holds, wherever it lies between them.
    if (this.#collecting && (end || event.kind === 'prepare')) {
      this.#events.push({ lsn: event.lsn, previousLsn: event.previousLsn, end });
    }
  }
}
