import type { Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent, TransactionEventKind } from '../wal/transaction-event.ts';
import type { InDoubtDecision } from '../repository/snapshot-manifest.ts';
import { applyEvents, listOpen, NOTHING_OPEN, type OpenTransactions } from '../wal-index/open-transactions.ts';
import { BranchHistory } from './branch-history.ts';
import type { CarriedDecisions } from './carried-decisions.ts';
import { INSTANT_WITHIN_US, type BeforeMoment } from './latest-instant.ts';
import type { NodeClock, TimeSpan } from './node-clock.ts';

/** So many events are kept before it is seen which of them are still open. */
const PASSED_OVER_BATCH = 4096;

/** A transaction event as a scan needs it; positions and times as numbers. */
export interface ScannedEvent {
  readonly kind: TransactionEventKind;
  readonly lsn: number;
  readonly endLsn: number;
  readonly previousLsn: number;
  readonly xid: number;
  readonly timeUs: number;
  readonly seeded: boolean;
  /** The event itself. */
  whole(): TransactionEvent;
}

interface TimeScanOptions {
  readonly node: string;
  /** On which the scan begins. */
  readonly timeline: number;
  /** T, by the leader's clock, microseconds since 1970-01-01 UTC. */
  readonly momentUs: number;
  readonly clock: NodeClock;
  /** Null: everything that is given counts. */
  readonly fromUs?: number | null;
}

/** The first record that is not in a node's wish. */
export interface LaterRecord extends TimeSpan {
  readonly lsn: Lsn;
  readonly previousLsn: Lsn;
}

/**
 * One node's transaction events in the order of its WAL, looked at for one moment T of the leader's time.
 *
 * The wish is everything before the first record that is too late: a commit that may have happened after T, or any other record that was
 * surely inserted after T. A PREPARE that may have come before T is not too late: a transaction that was committed by T
 * needs it, and if none was, it is rolled back. On which side an abort lies changes nothing that anybody sees.
 *
 * What surely happened before `fromUs` is passed over: of it only the branches count that were open at its end.
 */
export class TimeScan implements BeforeMoment {
  readonly node: string;
  readonly history: BranchHistory;
  readonly #momentUs: number;
  readonly #clock: NodeClock;
  #later: LaterRecord | null = null;
  #passed = false;
  #lastUs = Number.NEGATIVE_INFINITY;
  /** What may be open of what was passed over; null once nothing is any more. */
  #passedOver: PassedOver | null = null;
  /** Whether a commit may decide over branches. */
  #hasRows = false;
  readonly #fromUs: number;
  readonly #unsure: TimeSpan[] = [];
  #notBeforeUs: number;

  constructor({ node, timeline, momentUs, clock, fromUs = null }: TimeScanOptions) {
    this.node = node;
    this.history = new BranchHistory(node, timeline);
    this.#momentUs = momentUs;
    this.#clock = clock;
    this.#fromUs = fromUs ?? 0;
    this.#notBeforeUs = fromUs ?? Number.NEGATIVE_INFINITY;
    this.#passedOver = fromUs === null ? null : new PassedOver();
  }

  /** The events of what was open where the scan begins. */
  open(events: readonly TransactionEvent[]): void {
    for (const event of events) {
      if (this.#passedOver === null) this.#take(event);
      else this.#passedOver.add(event);
    }
  }

  /** The snapshot at whose cut the scan begins. */
  startAtSnapshot(inDoubt: readonly InDoubtDecision[], sampledLsn: Lsn, carried: CarriedDecisions): void {
    this.history.startAtSnapshot(inDoubt, sampledLsn, carried);
    this.#hasRows = carried.open.length > 0;
  }

  /** The first record that is too late; null while none was seen. */
  get later(): LaterRecord | null {
    return this.#later;
  }

  /** Whether a record was seen that was surely written after T: then everything that was written by T was seen. */
  get passed(): boolean {
    return this.#passed;
  }

  /** How long before T the first record that is too late may have been inserted: 0 if it surely was after T, and so was all behind it. */
  get doubtUs(): number {
    return Math.max(0, this.#momentUs - (this.#later?.earliestUs ?? Infinity));
  }

  /** Whether of a commit it cannot be said on which side of T it was. */
  get straddled(): boolean {
    return this.#later !== null && this.#later.earliestUs <= this.#momentUs;
  }

  get unsure(): readonly TimeSpan[] {
    return this.#unsure;
  }

  get notBeforeUs(): number {
    return this.#notBeforeUs;
  }

  /** Where the scan begins is the state of a moment no earlier than this one. */
  beginsAt(momentUs: number): void {
    this.#notBeforeUs = Math.max(this.#notBeforeUs, momentUs);
  }

  /** Everything that was written before this moment was seen, as far as the events tell. */
  get seenUntilUs(): number {
    return this.#lastUs;
  }

  /** To be called at the end of what is read. */
  end(): void {
    const open = this.#passedOver?.open() ?? [];
    this.#passedOver = null;
    this.open(open);
  }

  apply(event: ScannedEvent): void {
    if (this.#passedOver !== null) {
      if (event.seeded || !this.#mayCount(event)) {
        this.#passedOver.add(event.kind === 'commit' || event.kind === 'abort' ? event : event.whole());
        return;
      }
      this.end();
    }
    switch (event.kind) {
      case 'commit':
      case 'abort':
        this.#look(event, event.kind === 'commit');
        if (this.#hasRows) this.history.apply(event.whole());
        return;
      case 'commit-prepared':
      case 'rollback-prepared':
        this.#look(event, event.kind === 'commit-prepared');
        break;
      case 'prepare':
        // One that was seeded has no record here.
        if (!event.seeded) this.#look(event, false);
        break;
      case 'beginning':
        this.history.crossGap();
        return;
      case 'decision-row':
      case 'restart':
    }
    this.#take(event.whole());
  }

  #take(event: TransactionEvent): void {
    this.#hasRows ||= event.kind === 'decision-row';
    this.history.apply(event);
  }

  /** What has no time of its own counts if what follows it does. */
  #mayCount(event: ScannedEvent): boolean {
    if (event.kind === 'decision-row' || event.kind === 'restart') return false;
    return this.#clock.span(event.lsn, event.timeUs).latestUs >= this.#fromUs;
  }

  #look(event: ScannedEvent, isCommit: boolean): void {
    const span = this.#clock.span(event.lsn, event.timeUs);
    const isLater = span.earliestUs > this.#momentUs;
    if (this.#later === null && (isLater || (isCommit && span.latestUs > this.#momentUs))) {
      const { lsn, previousLsn } = event.whole();
      this.#later = { ...span, lsn, previousLsn };
    }
    const farUs = this.#momentUs - INSTANT_WITHIN_US;
    if (isCommit && !isLater && span.latestUs > farUs) {
      if (span.earliestUs > farUs) this.#unsure.push(span);
      // Before its latest time there is no instant that is near enough.
      else this.beginsAt(span.latestUs);
    }
    this.#passed ||= isLater;
    this.#lastUs = Math.max(this.#lastUs, span.earliestUs);
  }
}

/** What was passed over, as far as it may be open at the end of it. */
class PassedOver {
  #open: OpenTransactions = NOTHING_OPEN;
  #batch: TransactionEvent[] = [];
  #hasRows = false;

  add(event: TransactionEvent | ScannedEvent): void {
    if (event.kind === 'commit' || event.kind === 'abort') {
      if (!this.#hasRows) return;
    }
    this.#hasRows ||= event.kind === 'decision-row';
    this.#batch.push('whole' in event ? event.whole() : event);
    if (this.#batch.length >= PASSED_OVER_BATCH) this.#settle();
  }

  open(): TransactionEvent[] {
    this.#settle();
    return listOpen(this.#open);
  }

  #settle(): void {
    this.#open = applyEvents(this.#open, this.#batch);
    this.#batch = [];
    this.#hasRows = this.#open.rows.size > 0;
  }
}
