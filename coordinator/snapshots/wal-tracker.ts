import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { formatLsn, minLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { TimelineHistory } from '../../shared/postgres/timeline-history.ts';
import type { Branch } from '../../shared/cuts/branch.ts';
import { FIRST_BARRIER } from '../../shared/cuts/branch-history.ts';
import { carriedDecisions } from '../../shared/cuts/carried-decisions.ts';
import type { Decision } from '../../shared/cuts/decision.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { missingFrom, type LsnRange } from '../../shared/wal/lsn-range.ts';
import type { WalSource } from '../journal/wal-positions.ts';
import { NodeTracker } from './node-tracker.ts';

const RETRY_MS = 200;

interface WalTrackerOptions {
  readonly wal: WalSource;
  readonly clock: Clock;
  /** The stream that each node writes now; its WAL may not have arrived yet. */
  readonly streams: () => readonly WalStreamKey[];
  /** How the stream's timeline came to be; null while that is not known. */
  readonly history: (stream: WalStreamKey) => Promise<TimelineHistory | null>;
  /** What was declared to be missing of the node's WAL, on whatever timeline. */
  readonly gaps: (stream: WalStreamKey) => Promise<readonly LsnRange[]>;
  /** The snapshot to go on from; null: from the beginning of every stream. */
  readonly startFrom: Snapshot | null;
  /** A stream cannot be followed for now; it is tried again. */
  readonly onProblem: (stream: WalStreamKey, error: unknown) => void;
}

interface Following {
  readonly stream: WalStreamKey;
  readonly changed: AbortController;
  readonly running: Promise<void>;
}

/**
 * Follows the WAL of all nodes for as long as this coordinator leads. The last snapshot says what was open and what was
 * decided at its cut, so reading begins there and nothing of what lies before is needed; without a snapshot it begins with the
 * oldest timeline of a node's history from which on its WAL is here.
 */
export class WalTracker {
  readonly #options: WalTrackerOptions;
  readonly #nodes = new Map<string, NodeTracker>();
  readonly #following = new Map<string, Following>();
  #outdated = false;
  #barriers = FIRST_BARRIER - 1;

  constructor(options: WalTrackerOptions) {
    this.#options = options;
  }

  /** Follows every node's stream, new ones as they come, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        for (const stream of this.#options.streams()) {
          const following = this.#following.get(stream.node);
          if (following === undefined) {
            this.#begin(stream, signal);
          } else if (!sameStream(following.stream, stream)) {
            // Nothing more may ever come on the old one.
            following.changed.abort();
          }
        }
        await this.#options.clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    } finally {
      await Promise.all([...this.#following.values()].map(({ running }) => running));
    }
  }

  /**
   * A node went on from a place before something that was forgotten here: what is open on its new timeline cannot be told. Reading
   * has to begin anew, further back.
   */
  get outdated(): boolean {
    return this.#outdated;
  }

  /** Null while nothing of the node was read. */
  node(node: string): NodeTracker | null {
    const tracker = this.#nodes.get(node);
    return tracker === undefined || tracker.readLsn === NO_LSN ? null : tracker;
  }

  /** Whether the node is read, and on this stream. */
  isOn(stream: WalStreamKey): boolean {
    const known = this.node(stream.node)?.stream;
    return known !== undefined && sameStream(known, stream);
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
  settle(branches: ReadonlySet<Branch | Decision>): void {
    for (const tracker of this.#nodes.values()) {
      tracker.history.drop(branches);
    }
  }

  #begin(stream: WalStreamKey, signal: AbortSignal): void {
    const changed = new AbortController();
    const end = () => changed.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const running = this.#follow(stream, changed.signal).finally(() => {
      signal.removeEventListener('abort', end);
      this.#following.delete(stream.node);
    });
    this.#following.set(stream.node, { stream, changed, running });
  }

  async #follow(stream: WalStreamKey, signal: AbortSignal): Promise<void> {
    try {
      const tracker = await this.#trackerOf(stream, signal);
      const held = this.#options.wal.position(stream);
      // A new leader may not yet hold what the last snapshot names; ingest gets it from a peer first.
      if (tracker === null || held === null || held.durableLsn < tracker.readLsn) {
        return;
      }
      for await (const changeSet of this.#options.wal.read(stream, tracker.readLsn, signal)) {
        this.#apply(tracker, changeSet);
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#options.onProblem(stream, error);
      }
    }
  }

  /** The tracker, standing where the stream has to be read from; null if there is nothing to read yet. */
  async #trackerOf(stream: WalStreamKey, signal: AbortSignal): Promise<NodeTracker | null> {
    const position = this.#options.wal.position(stream);
    if (position === null) {
      return null;
    }
    const known = this.#nodes.get(stream.node);
    if (known !== undefined && known.stream.systemIdentifier === stream.systemIdentifier) {
      if (known.stream.timeline > stream.timeline) {
        return null;
      }
      await this.#goOver(known, stream, signal);
      return known;
    }
    const { startFrom } = this.#options;
    const start = startFrom?.nodes.find(
      (cut) => cut.node === stream.node && cut.systemIdentifier === stream.systemIdentifier,
    );
    const timeline = start?.timeline ?? (await this.#oldestTimeline(stream));
    const tracker = new NodeTracker({ ...stream, timeline }, position.segmentBytes);
    if (startFrom !== null && start !== undefined) {
      const inDoubt = startFrom.inDoubt.filter((branch) => branch.node === stream.node);
      tracker.startAtSnapshot(start, inDoubt, carriedDecisions(startFrom, stream.node));
    }
    await this.#goOver(tracker, stream, signal);
    this.#nodes.set(stream.node, tracker);
    return tracker;
  }

  /** The oldest timeline of the stream's history from which on no WAL is missing here. */
  async #oldestTimeline(stream: WalStreamKey): Promise<number> {
    const { wal } = this.#options;
    const history = await this.#historyOf(stream);
    let oldest = stream.timeline;
    let firstLsn = wal.position(stream)?.firstLsn ?? NO_LSN;
    for (const { timeline, switchLsn } of history.ancestors.toReversed()) {
      const held = wal.position({ ...stream, timeline });
      if (held === null || minLsn(held.durableLsn, switchLsn) < firstLsn) {
        break;
      }
      oldest = timeline;
      firstLsn = held.firstLsn;
    }
    return oldest;
  }

  /** From the timeline where the tracker stands over those between to the stream's: reads what is held of each up to its end. */
  async #goOver(tracker: NodeTracker, stream: WalStreamKey, signal: AbortSignal): Promise<void> {
    if (tracker.stream.timeline === stream.timeline) {
      return;
    }
    const { ancestors } = await this.#historyOf(stream);
    const from = ancestors.findIndex(({ timeline }) => timeline === tracker.stream.timeline);
    if (from === -1) {
      throw new TidemarkError(
        'TM-WAL-003',
        `timeline ${tracker.stream.timeline}, where node ${stream.node} stood, is not in the history of timeline ${stream.timeline}`,
      );
    }
    for (const [index, { switchLsn }] of ancestors.entries()) {
      if (index < from) {
        continue;
      }
      await this.#readUpTo(tracker, switchLsn, signal);
      const next = { ...stream, timeline: ancestors[index + 1]?.timeline ?? stream.timeline };
      const firstLsn = this.#options.wal.position(next)?.firstLsn ?? NO_LSN;
      const joinLsn = minLsn(tracker.readLsn, switchLsn);
      if (tracker.readLsn !== NO_LSN && joinLsn < firstLsn && !(await this.#isLost(next, joinLsn, firstLsn))) {
        throw new TidemarkError(
          'TM-WAL-003',
          `node ${stream.node} went on on timeline ${next.timeline}, whose WAL is here from ${formatLsn(firstLsn)} on, but that of timeline ${tracker.stream.timeline} only up to ${formatLsn(joinLsn)}`,
          { retryable: true },
        );
      }
      if (tracker.forgetsAfter(switchLsn)) {
        this.#outdated = true;
        throw new TidemarkError(
          'TM-WAL-007',
          `node ${stream.node} left timeline ${tracker.stream.timeline} at ${formatLsn(switchLsn)}, before the end of what was settled there`,
          { retryable: true },
        );
      }
      tracker.switchTimeline(next, switchLsn);
    }
  }

  #apply(tracker: NodeTracker, changeSet: ChangeSet): void {
    const { stream, readLsn } = tracker;
    if (readLsn !== NO_LSN && changeSet.startLsn > readLsn) {
      tracker.crossHole(changeSet.startLsn);
      this.#options.onProblem(
        stream,
        new TidemarkError(
          'TM-WAL-003',
          `WAL of node ${stream.node} from ${formatLsn(readLsn)} to ${formatLsn(changeSet.startLsn)} is missing: what ended there is not known`,
        ),
      );
    }
    tracker.apply(changeSet);
  }

  /** Reads what is held of the tracker's timeline, up to a position. */
  async #readUpTo(tracker: NodeTracker, endLsn: Lsn, signal: AbortSignal): Promise<void> {
    const { wal } = this.#options;
    const held = wal.position(tracker.stream);
    const until = held === null ? NO_LSN : minLsn(held.durableLsn, endLsn);
    if (tracker.readLsn >= until) {
      return;
    }
    for await (const changeSet of wal.read(tracker.stream, tracker.readLsn, signal)) {
      this.#apply(tracker, changeSet);
      if (tracker.readLsn >= until) {
        return;
      }
    }
    signal.throwIfAborted();
  }

  /** Whether nobody is expected to bring what is missing before a timeline. */
  async #isLost(stream: WalStreamKey, startLsn: Lsn, endLsn: Lsn): Promise<boolean> {
    return missingFrom([{ startLsn, endLsn }], await this.#options.gaps(stream)).length === 0;
  }

  async #historyOf(stream: WalStreamKey): Promise<TimelineHistory> {
    const history = await this.#options.history(stream);
    if (history === null) {
      throw new TidemarkError(
        'TM-WAL-003',
        `node ${stream.node} is on timeline ${stream.timeline}, whose history is not here yet`,
        { retryable: true },
      );
    }
    return history;
  }
}

function sameStream(a: WalStreamKey, b: WalStreamKey): boolean {
  return a.node === b.node && a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline;
}
