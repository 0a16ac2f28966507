import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { Branch } from '../../shared/cuts/branch.ts';
import { FIRST_BARRIER } from '../../shared/cuts/branch-history.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { WalSource } from '../journal/wal-positions.ts';
import { NodeTracker } from './node-tracker.ts';

const RETRY_MS = 200;

interface WalTrackerOptions {
  readonly wal: WalSource;
  readonly clock: Clock;
  /** The stream that each node writes now; its WAL may not have arrived yet. */
  readonly streams: () => readonly WalStreamKey[];
  /** Where the stream's timeline left the one before; null if that is not known. */
  readonly forkLsn: (stream: WalStreamKey) => Promise<Lsn | null>;
  /** The snapshot to go on from; null: from the beginning of every stream. */
  readonly startFrom: Snapshot | null;
  /** A stream cannot be followed for now; it is tried again. */
  readonly onProblem: (stream: WalStreamKey, error: unknown) => void;
}

/**
 * Follows the WAL of all nodes for as long as this coordinator leads. The last snapshot says what was open and what was
 * decided at its cut, so reading begins there and nothing of what lies before is needed.
 */
export class WalTracker {
  readonly #options: WalTrackerOptions;
  readonly #nodes = new Map<string, NodeTracker>();
  readonly #following = new Map<string, Promise<void>>();
  #barriers = FIRST_BARRIER - 1;

  constructor(options: WalTrackerOptions) {
    this.#options = options;
  }

  /** Follows every node's stream, new ones as they come, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        for (const stream of this.#options.streams()) {
          if (!this.#following.has(stream.node)) {
            this.#following.set(
              stream.node,
              this.#follow(stream.node, signal).finally(() => this.#following.delete(stream.node)),
            );
          }
        }
        await this.#options.clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    } finally {
      await Promise.all(this.#following.values());
    }
  }

  /** Null while nothing of the node was read. */
  node(node: string): NodeTracker | null {
    const tracker = this.#nodes.get(node);
    return tracker === undefined || tracker.readLsn === NO_LSN ? null : tracker;
  }

  nodes(): readonly NodeTracker[] {
    return [...this.#nodes.values()].filter((tracker) => tracker.readLsn !== NO_LSN);
  }

  beginCollect(): void {
    for (const tracker of this.#nodes.values()) {
      tracker.beginCollect();
    }
  }

  endCollect(): void {
    for (const tracker of this.#nodes.values()) {
      tracker.endCollect();
    }
  }

  /** A collect over all nodes is complete and everything below its second vector was read. */
  markBarrier(vectors: ReadonlyMap<string, { readonly beforeLsn: Lsn; readonly afterLsn: Lsn }>): void {
    this.#barriers += 1;
    for (const tracker of this.#nodes.values()) {
      const vector = vectors.get(tracker.node);
      if (vector !== undefined) {
        tracker.history.markBarrier(this.#barriers, vector.beforeLsn, vector.afterLsn);
      }
    }
  }

  /** Forgets what no later cut asks for. */
  settle(branches: ReadonlySet<Branch>): void {
    for (const tracker of this.#nodes.values()) {
      tracker.history.drop(branches);
    }
  }

  async #follow(node: string, signal: AbortSignal): Promise<void> {
    const stream = this.#options.streams().find((known) => known.node === node);
    if (stream === undefined || signal.aborted) {
      return;
    }
    // Ends the reading when the node's stream changes, so that the next one is followed.
    const changed = new AbortController();
    const both = AbortSignal.any([signal, changed.signal]);
    try {
      const tracker = await this.#trackerOf(stream);
      const held = this.#options.wal.position(stream);
      // A new leader may not yet hold what the last snapshot names; ingest gets it from a peer first.
      if (tracker === null || held === null || held.durableLsn < tracker.readLsn) {
        return;
      }
      for await (const changeSet of this.#options.wal.read(stream, tracker.readLsn, both)) {
        tracker.apply(changeSet);
        if (this.#options.streams().some((known) => known.node === node && known.timeline > stream.timeline)) {
          changed.abort();
        }
      }
    } catch (error) {
      if (!both.aborted) {
        this.#options.onProblem(stream, error);
      }
    }
  }

  /** The tracker, standing where the stream has to be read from; null if there is nothing to read yet. */
  async #trackerOf(stream: WalStreamKey): Promise<NodeTracker | null> {
    const position = this.#options.wal.position(stream);
    if (position === null) {
      return null;
    }
    const known = this.#nodes.get(stream.node);
    if (known !== undefined && sameStream(known.stream, stream)) {
      return known;
    }
    if (known !== undefined && known.stream.systemIdentifier === stream.systemIdentifier) {
      await this.#switchTimeline(known, stream);
      return known;
    }
    const tracker = new NodeTracker(stream, position.segmentBytes);
    const { startFrom } = this.#options;
    const start = startFrom?.nodes.find(
      (cut) => cut.node === stream.node && cut.systemIdentifier === stream.systemIdentifier,
    );
    if (startFrom !== null && start !== undefined) {
      const before = { ...stream, timeline: start.timeline };
      const inDoubt = startFrom.inDoubt.filter((branch) => branch.node === stream.node);
      const starting = new NodeTracker(before, position.segmentBytes);
      starting.startAtSnapshot(start, inDoubt);
      if (start.timeline !== stream.timeline) {
        await this.#switchTimeline(starting, stream);
      }
      this.#nodes.set(stream.node, starting);
      return starting;
    }
    this.#nodes.set(stream.node, tracker);
    return tracker;
  }

  /** Reads what is held of the old timeline up to the fork, then goes over to the new one. */
  async #switchTimeline(tracker: NodeTracker, stream: WalStreamKey): Promise<void> {
    const forkLsn = await this.#options.forkLsn(stream);
    if (forkLsn === null) {
      throw new TidemarkError(
        'TM-WAL-003',
        `node ${stream.node} is on timeline ${stream.timeline}, whose history is not here yet`,
        { retryable: true },
      );
    }
    const old = this.#options.wal.position(tracker.stream);
    const ended = new AbortController();
    const until = old === null || old.durableLsn > forkLsn ? forkLsn : old.durableLsn;
    if (old !== null && tracker.readLsn < until) {
      for await (const changeSet of this.#options.wal.read(tracker.stream, tracker.readLsn, ended.signal)) {
        tracker.apply(changeSet);
        if (tracker.readLsn >= until) {
          ended.abort();
          break;
        }
      }
    }
    tracker.switchTimeline(stream, forkLsn);
  }
}

function sameStream(a: WalStreamKey, b: WalStreamKey): boolean {
  return a.node === b.node && a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline;
}
