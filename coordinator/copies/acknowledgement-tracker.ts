import { assert } from '../../shared/errors/assert.ts';
import { NO_LSN, maxLsn, minLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import { streamId } from '../journal/wal-positions.ts';

export interface TrackerOptions {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  /** In how many data centres, this one included, a byte lies before it is acknowledged; at least 1. */
  readonly copiesRequired: number;
}

/** One coordinator's copy of one stream, as this leader knows it. */
export interface CopyPosition {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly durableLsn: Lsn;
  readonly connected: boolean;
}

/** What one follower says in one call about its copy of one stream. */
export interface FollowedCopy {
  /** The copy is durable up to `durableLsn`, and is the same WAL as the leader's. Without effect once the call is not the copy's last one. */
  durable(durableLsn: Lsn): void;
  /** The follower went away. What it holds still counts. */
  ended(): void;
}

/** Whose repository an object lies in. */
export interface ObjectHolder {
  readonly coordinatorId: string;
  readonly dataCenter: string;
}

export type AcknowledgedListener = (stream: WalStreamKey, acknowledgedLsn: Lsn) => void;

/** The call in which a copy was last spoken of. */
interface TrackedCopy extends CopyPosition {
  readonly call: FollowedCopy | null;
}

interface StreamCopies {
  readonly stream: WalStreamKey;
  acknowledgedLsn: Lsn;
  readonly copies: Map<string, TrackedCopy>;
}

interface Waiter {
  readonly satisfied: () => boolean;
  readonly resolve: () => void;
}

/**
 * The rule of acknowledgement, and nothing else. Acknowledged is the highest position that is durable in the required number of
 * data centres, this coordinator's own copy being one of them; two coordinators in one data centre count as one. It
 * never goes back. Positions count only for the term in which they were reported, to the leader of that term. A copy can come back
 * with less than it had: then it counts for what it has, and what is still on its way from an earlier call counts for nothing.
 */
export class AcknowledgementTracker {
  readonly #options: TrackerOptions;
  readonly #streams = new Map<string, StreamCopies>();
  /** Of each object the coordinators that hold it, with their data centres. */
  readonly #objects = new Map<string, Map<string, string>>();
  readonly #listeners = new Set<AcknowledgedListener>();
  readonly #waiters = new Set<Waiter>();
  #term: bigint | null = null;

  constructor(options: TrackerOptions) {
    assert(Number.isInteger(options.copiesRequired) && options.copiesRequired >= 1, 'at least one copy is required');
    this.#options = options;
  }

  get copiesRequired(): number {
    return this.#options.copiesRequired;
  }

  /** The term in which this coordinator leads; null while it does not. */
  get term(): bigint | null {
    return this.#term;
  }

  /** Begins a leadership. What was reported before does not count any more; what was acknowledged stays so. */
  lead(term: bigint): void {
    assert(this.#term === null || term > this.#term, 'terms are strictly increasing');
    this.#term = term;
    for (const { copies } of this.#streams.values()) copies.clear();
  }

  /** Ends the leadership of that term, unless a later one has begun: nothing is acknowledged until the next one. */
  resign(term: bigint): void {
    if (this.#term !== term) return;
    this.#term = null;
    for (const { copies } of this.#streams.values()) copies.clear();
  }

  /** This coordinator's own copy is durable up to `durableLsn`. Without effect while it does not lead. */
  reportOwn(stream: WalStreamKey, durableLsn: Lsn): void {
    const { coordinatorId, dataCenter } = this.#options;
    if (this.#term === null) return;
    const before = this.#streams.get(streamId(stream))?.copies.get(coordinatorId)?.durableLsn ?? NO_LSN;
    const highest = maxLsn(before, durableLsn);
    this.#note(stream, { coordinatorId, dataCenter, durableLsn: highest, connected: true, call: null });
  }

  /**
   * Another coordinator begins to follow a stream in `term`, from `fromLsn` on (NO_LSN: it holds nothing). Whatever more it was known
   * to hold does not count any more until it says so again. Without effect in any other term than the current one.
   */
  followed(
    stream: WalStreamKey,
    { coordinatorId, dataCenter }: ObjectHolder,
    fromLsn: Lsn,
    term: bigint,
  ): FollowedCopy {
    assert(coordinatorId !== this.#options.coordinatorId, 'the own copy is reported by reportOwn');
    const copyOf = (): TrackedCopy | undefined => {
      const copy = this.#streams.get(streamId(stream))?.copies.get(coordinatorId);
      return copy?.call === call ? copy : undefined;
    };
    const call: FollowedCopy = {
      durable: (durableLsn) => {
        const copy = copyOf();
        if (copy !== undefined) this.#note(stream, { ...copy, durableLsn: maxLsn(copy.durableLsn, durableLsn) });
      },
      ended: () => {
        const copy = copyOf();
        if (copy !== undefined) this.#note(stream, { ...copy, connected: false });
      },
    };
    if (this.#term === term) {
      const before = this.#streams.get(streamId(stream))?.copies.get(coordinatorId)?.durableLsn ?? NO_LSN;
      const durableLsn = minLsn(before, fromLsn);
      this.#note(stream, { coordinatorId, dataCenter, durableLsn, connected: true, call });
    }
    return call;
  }

  /** The acknowledged position; NO_LSN if none is known. */
  acknowledged(stream: WalStreamKey): Lsn {
    return this.#streams.get(streamId(stream))?.acknowledgedLsn ?? NO_LSN;
  }

  /** For status: every copy that has reported in this leadership. */
  copies(stream: WalStreamKey): readonly CopyPosition[] {
    return [...(this.#streams.get(streamId(stream))?.copies.values() ?? [])].map(({ call: _, ...copy }) => copy);
  }

  /** Calls back whenever a stream's acknowledged position has grown. Returns the function that ends it. */
  onAcknowledged(listener: AcknowledgedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves once `lsn` is acknowledged; rejects with the signal's reason. */
  async waitForAcknowledged(stream: WalStreamKey, lsn: Lsn, signal: AbortSignal): Promise<void> {
    await this.#waitFor(() => this.acknowledged(stream) >= lsn, signal);
  }

  /** An object is durable in a coordinator's repository. */
  objectStored(path: string, { coordinatorId, dataCenter }: ObjectHolder): void {
    let holders = this.#objects.get(path);
    if (holders === undefined) this.#objects.set(path, (holders = new Map()));
    holders.set(coordinatorId, dataCenter);
    this.#wake();
  }

  /** A coordinator's repository is another one than before: none of the objects that it held is known to be there. */
  objectsLost(coordinatorId: string): void {
    for (const holders of this.#objects.values()) holders.delete(coordinatorId);
  }

  /** The data centres that are known to hold an object. */
  objectCopies(path: string): readonly string[] {
    return [...new Set(this.#objects.get(path)?.values() ?? [])].sort();
  }

  /** Resolves once the object lies in the required number of data centres, with their names; rejects with the signal's reason. */
  async waitForObject(path: string, signal: AbortSignal): Promise<readonly string[]> {
    await this.#waitFor(() => this.objectCopies(path).length >= this.#options.copiesRequired, signal);
    return this.objectCopies(path);
  }

  #note(stream: WalStreamKey, copy: TrackedCopy): void {
    const id = streamId(stream);
    let known = this.#streams.get(id);
    if (known === undefined) this.#streams.set(id, (known = { stream, acknowledgedLsn: NO_LSN, copies: new Map() }));
    known.copies.set(copy.coordinatorId, copy);
    const acknowledgedLsn = this.#durableOnRequired(known);
    if (acknowledgedLsn <= known.acknowledgedLsn) return;
    known.acknowledgedLsn = acknowledgedLsn;
    for (const listener of this.#listeners) listener(stream, acknowledgedLsn);
    this.#wake();
  }

  #durableOnRequired(known: StreamCopies): Lsn {
    const own = known.copies.get(this.#options.coordinatorId)?.durableLsn ?? NO_LSN;
    const highestOf = new Map<string, Lsn>();
    for (const { dataCenter, durableLsn } of known.copies.values()) {
      highestOf.set(dataCenter, maxLsn(highestOf.get(dataCenter) ?? NO_LSN, durableLsn));
    }
    highestOf.set(this.#options.dataCenter, own);
    const descending = [...highestOf.values()].sort((a, b) => (a > b ? -1 : a < b ? 1 : 0));
    return minLsn(own, descending[this.#options.copiesRequired - 1] ?? NO_LSN);
  }

  async #waitFor(satisfied: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (satisfied()) return;
    let waiter: Waiter | null = null;
    let onAbort: (() => void) | null = null;
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { satisfied, resolve };
        onAbort = () => reject(signal.reason as Error);
        this.#waiters.add(waiter);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    } finally {
      if (waiter !== null) this.#waiters.delete(waiter);
      if (onAbort !== null) signal.removeEventListener('abort', onAbort);
    }
  }

  #wake(): void {
    for (const waiter of this.#waiters) {
      if (waiter.satisfied()) waiter.resolve();
    }
  }
}
