import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { BranchMatcher } from '../../shared/cuts/branch-matcher.ts';
import type { MatcherChoice } from '../../shared/cuts/choose-matchers.ts';
import { computeCut, type Cut } from '../../shared/cuts/cut.ts';
import type { TransactionProblems } from '../../shared/admin/status.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { TimelineHistory } from '../../shared/postgres/timeline-history.ts';
import { snapshotPath } from '../../shared/repository/layout.ts';
import type { Repository } from '../../shared/repository/repository.ts';
import { SnapshotCatalogue } from '../../shared/repository/snapshot-catalogue.ts';
import {
  encodeSnapshot,
  type BrokenTransaction,
  type Snapshot,
  type SnapshotClass,
} from '../../shared/repository/snapshot-manifest.ts';
import { formatTimestamp, timestampMs, type HybridTimestamp } from '../../shared/timestamp/hybrid-timestamp.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { LeaderDuty } from '../election/leader-duty.ts';
import { streamId, type WalSource } from '../journal/wal-positions.ts';
import { acknowledgedVector } from './acknowledged-vector.ts';
import { cutAfterLoss } from './cut-after-loss.ts';
import {
  cutNodesAt,
  seenNodes,
  snapshotNodes,
  synchronousWish,
  undecidedIn,
  type Between,
  type Draft,
} from './collected-cut.ts';
import {
  doubleCollect,
  nobodyAnswered,
  type Collect,
  type NodeCollect,
  type PositionSampler,
} from './double-collect.ts';
import type { NodeTracker } from './node-tracker.ts';
import type { SynchronousRecord } from './synchronous-record.ts';
import type { SnapshotObserver } from './snapshot-observer.ts';
import { ForgottenTransactions, type ReadPast } from './forgotten-transactions.ts';
import { isCurrent } from './is-current.ts';
import { SnapshotRequests, type SharedRequests } from './snapshot-requests.ts';
import { findStartingPoint, type StartingPoint } from './starting-point.ts';
import type { Term } from './term.ts';
import { TransactionWatch } from './transaction-watch.ts';
import { waitForCollected, waitForDurable } from './wait-for-wal.ts';
import { WalTracker } from './wal-tracker.ts';

/** The name under which the leader records the last snapshot; writing it proves the right to declare. */
const LATEST_KEY = 'snapshots/latest';
const BROKEN_MAX = 1000;
const SAMPLE_TIMEOUT_MS = 2000;

export interface SnapshotServiceOptions {
  readonly cluster: string;
  readonly coordinatorId: string;
  readonly clock: Clock;
  /** Every node of the cluster with the stream that it writes now, also while it does not answer. */
  readonly streams: () => readonly WalStreamKey[];
  /** Nodes of the cluster that have never made themselves known: no snapshot is complete without them. */
  readonly missing?: () => readonly string[];
  readonly sampler: (leadership: Leadership) => PositionSampler;
  readonly wal: WalSource;
  /** How the stream's timeline came to be; null while that is not known. */
  readonly history: (stream: WalStreamKey) => Promise<TimelineHistory | null>;
  /** What was declared to be missing of the node's WAL, on whatever timeline. */
  readonly gaps: (stream: WalStreamKey) => Promise<readonly LsnRange[]>;
  readonly readPast: ReadPast;
  readonly acknowledgements: {
    acknowledged(stream: WalStreamKey): Lsn;
    waitForAcknowledged(stream: WalStreamKey, lsn: Lsn, signal: AbortSignal): Promise<void>;
    waitForObject(path: string, signal: AbortSignal): Promise<readonly string[]>;
  };
  /** Of what the samplers heard. */
  readonly synchronous: Pick<SynchronousRecord, 'untilSilence'>;
  readonly timestamps: { next(leadership: Leadership): Promise<HybridTimestamp> };
  readonly repository: Pick<Repository, 'name' | 'list' | 'stat' | 'read' | 'create'>;
  readonly observer: SnapshotObserver;
  readonly matchers: readonly BranchMatcher[];
  /** What the matchers were made of, for the manifests. */
  readonly match?: readonly MatcherChoice[];
  readonly preparedWarningMs: number;
  readonly intervalMs: number;
  /** For one round of readings. */
  readonly sampleTimeoutMs?: number;
  /** For the WAL of the collect, and then the manifest, to become durable on the required copies. */
  readonly durableTimeoutMs?: number;
  /** WAL that has not arrived after this long is flushed on its node: an idle transaction's records wait for nobody. */
  readonly flushAfterMs?: number;
}

/**
 * Declares snapshots while this coordinator leads: every interval, and when asked. A declared snapshot's cut is closed, decided
 * (all WAL up to a later sample of every node was read), durable on the required copies with its WAL and its manifest, and
 * written under this leadership's right to names. One collect runs at a time; requests that wait for the next one share it.
 *
 * A scheduled snapshot of a cluster that wrote nothing since the last complete one is not written again: that one is still
 * the state, and its age is counted from the collect that showed so.
 */
export class SnapshotService implements LeaderDuty {
  readonly name = 'snapshots';
  readonly #options: SnapshotServiceOptions;
  readonly #catalogue: SnapshotCatalogue;
  readonly #matchers: readonly BranchMatcher[];
  #watch: TransactionWatch;
  readonly #requests: SnapshotRequests;
  #leading = false;
  #currentAtMs: number | null = null;

  constructor(options: SnapshotServiceOptions) {
    this.#options = options;
    this.#catalogue = new SnapshotCatalogue(options.repository);
    this.#matchers = options.matchers;
    this.#watch = new TransactionWatch(options);
    this.#requests = new SnapshotRequests(options.clock);
  }

  /** What is wrong with distributed transactions, as far as this coordinator has led. */
  transactions(): TransactionProblems {
    return this.#watch.problems(BigInt(Math.round(this.#options.clock.nowMs())) * 1000n);
  }

  get leading(): boolean {
    return this.#leading;
  }

  /**
   * Wall clock: when a scheduled collect last showed that the last complete snapshot was still the cluster's state; null if none
   * has in this process.
   */
  get currentAtMs(): number | null {
    return this.#currentAtMs;
  }

  /** Newest first. @param limit 0: all */
  async list(limit = 0): Promise<readonly Snapshot[]> {
    return await this.#catalogue.list(limit);
  }

  /** @throws TidemarkError TM-SNAP-001 if there is none */
  async get(idOrLatest: string): Promise<Snapshot> {
    return await this.#catalogue.get(idOrLatest);
  }

  /**
   * A snapshot of a moment after the call.
   * @throws TidemarkError TM-LEAD-001 if this coordinator does not lead, TM-SNAP-002 if it cannot be taken or made durable now
   */
  async createSnapshot({ label }: { readonly label: string }): Promise<Snapshot> {
    if (!this.#leading) {
      throw new TidemarkError('TM-LEAD-001', 'this coordinator does not lead');
    }
    return await this.#requests.add(label);
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options;
    const start = await this.#startingPoint();
    this.#watch = await TransactionWatch.open(this.#options, this.#catalogue);
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const term: Term = {
      leadership,
      sampler: this.#options.sampler(leadership),
      signal: both,
      ...this.#follow(both, start),
      last: start?.base ?? null,
      synchronousOver: new Set(),
      brokenToReport: [],
    };
    this.#leading = true;
    try {
      let dueMs = clock.monotonicMs() + intervalMs;
      while (!signal.aborted) {
        await this.#requests.wait(dueMs - clock.monotonicMs(), signal);
        if (signal.aborted) {
          break;
        }
        const requests = this.#requests.take();
        await this.#serve(term, requests);
        dueMs = Math.max(dueMs + (requests.any ? 0 : intervalMs), clock.monotonicMs());
      }
    } finally {
      this.#leading = false;
      stop.abort();
      this.#requests.take().reject(new TidemarkError('TM-LEAD-001', 'this coordinator does not lead any more'));
      await term.stopFollowing();
    }
  }

  #follow(
    signal: AbortSignal,
    start: StartingPoint | null,
  ): Pick<Term, 'tracker' | 'stopFollowing' | 'settledOver' | 'forgotten'> {
    const { wal, clock, streams, history, gaps, observer, readPast } = this.#options;
    const tracker = new WalTracker({
      wal,
      clock,
      streams,
      history,
      gaps,
      startFrom: start?.from ?? null,
      onProblem: (stream, error) => observer.problem(`the WAL of ${stream.node} cannot be followed`, error),
    });
    const stop = new AbortController();
    const running = tracker.run(AbortSignal.any([signal, stop.signal]));
    return {
      tracker,
      stopFollowing: async () => {
        stop.abort();
        await running;
      },
      forgotten: new ForgottenTransactions({ start, matchers: this.#matchers, readPast }),
      settledOver: start === null ? null : new Set(start.from.nodes.map(({ node }) => node)),
    };
  }

  /**
   * A branch on a node that has just joined may belong to a transaction that was settled, and forgotten, without it. So the WAL of all
   * nodes is read anew from where it begins. A failover can take back what was settled; then it is read anew from a snapshot before that.
   */
  async #readAnew(term: Term, streams: readonly WalStreamKey[]): Promise<void> {
    const { settledOver } = term;
    const joined = settledOver !== null && !streams.every(({ node }) => settledOver.has(node));
    if (joined || term.tracker.outdated || term.forgotten.failed) {
      const { failed } = term.forgotten;
      await term.stopFollowing();
      const start = joined ? null : await this.#startingPoint();
      Object.assign(term, this.#follow(term.signal, failed && start !== null ? { ...start, from: start.base } : start));
    }
  }

  /** What a damaged manifest would have saved is read from the WAL instead. */
  async #startingPoint(): Promise<StartingPoint | null> {
    try {
      return await findStartingPoint(this.#catalogue, this.#options);
    } catch (error) {
      this.#options.observer.problem('the last snapshot cannot be read; the WAL is read from its beginning', error);
      return null;
    }
  }

  async #serve(term: Term, requests: SharedRequests): Promise<void> {
    const { clock, observer } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const snapshot = await this.#take(term, requests.label, requests.any);
      observer.taken(snapshot, clock.monotonicMs() - startedMs);
      requests.resolve(snapshot);
    } catch (error) {
      if (!term.signal.aborted) {
        observer.failed(error, requests.any);
      }
      requests.reject(error);
    }
  }

  async #take(term: Term, label: string, asked: boolean): Promise<Snapshot> {
    const streams = this.#options.streams();
    if (streams.length === 0) {
      throw new TidemarkError('TM-SNAP-002', 'no node has made itself known yet', {
        hint: 'See whether the agents run and reach a coordinator.',
      });
    }
    await this.#readAnew(term, streams);
    await this.#waitForFollowed(term, streams);
    const { tracker } = term;
    tracker.beginCollect();
    try {
      const collect = await this.#collect(term, streams);
      const draft = (await this.#cutAfterLoss(term, collect, streams)) ?? (await this.#cut(term, collect, streams));
      const timeMs = timestampMs(collect.between.timestamp);
      const isSampled = draft.nodes.length === streams.length && draft.nodes.every((node) => node.sampled);
      const isOfAll = isSampled || draft.afterLoss;
      const undecided = undecidedIn(draft.cut, tracker, this.#matchers);
      const broken = [...undecided, ...draft.cut.broken];
      this.#tellOfTransactions(tracker, collect, broken, BigInt(timeMs) * 1000n);
      const complete = isOfAll && undecided.length === 0 && (this.#options.missing?.() ?? []).length === 0;
      if (!draft.afterLoss && !draft.nodes.some((node) => node.sampled)) {
        throw nobodyAnswered(collect, streams);
      }
      if (!asked && complete && term.last !== null && isCurrent(term.last, draft)) {
        this.#currentAtMs = timeMs;
        this.#options.observer.current(term.last, this.#currentAtMs);
        return term.last;
      }
      const snapshot: Snapshot = {
        id: formatTimestamp(collect.between.timestamp),
        timeUs: BigInt(timeMs) * 1000n,
        label,
        class: draft.class,
        complete,
        cluster: this.#options.cluster,
        coordinatorId: this.#options.coordinatorId,
        term: term.leadership.term,
        nodes: draft.nodes,
        inDoubt: draft.cut.inDoubt,
        ...(draft.cut.openDecisions.length === 0 ? {} : { openDecisions: draft.cut.openDecisions }),
        ...(this.#options.match === undefined ? {} : { match: this.#options.match }),
        broken: [...term.brokenToReport, ...broken].slice(0, BROKEN_MAX),
      };
      if (
        !draft.afterLoss &&
        draft.nodes.length === streams.length &&
        draft.nodes.every((node) => tracker.isOn(node))
      ) {
        // Whether or not it can be declared: no later cut asks for what this one holds as a whole, but for what a silent node may have of it.
        term.brokenToReport = snapshot.broken;
        tracker.settle(draft.cut.settled);
        term.forgotten.forgot(draft.seen, snapshot);
        term.settledOver = new Set(draft.nodes.map(({ node }) => node));
      }
      await this.#declare(term, snapshot);
      return snapshot;
    } finally {
      tracker.endCollect();
    }
  }

  #tellOfTransactions(
    tracker: WalTracker,
    { nodes }: Collect<unknown>,
    broken: readonly BrokenTransaction[],
    nowUs: bigint,
  ): void {
    const offsets = new Map(nodes.map(({ node, clock }) => [node, clock.offsetUs]));
    const branches = new Map(tracker.nodes().map(({ node, history }) => [node, history.branches()]));
    this.#watch.found(broken, nowUs);
    this.#watch.prepared(branches, offsets, nowUs);
  }

  /** The WAL of a node that has just come needs a moment until it is followed. */
  async #waitForFollowed(term: Term, streams: readonly WalStreamKey[]): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + (this.#options.sampleTimeoutMs ?? SAMPLE_TIMEOUT_MS);
    while (!streams.every((stream) => term.tracker.isOn(stream)) && clock.monotonicMs() < untilMs) {
      await clock.sleep(50, term.signal);
    }
  }

  async #collect(term: Term, streams: readonly WalStreamKey[]): Promise<Collect<Between>> {
    // A position of WAL that is not followed could not be looked up.
    const readable = streams.filter((stream) => term.tracker.isOn(stream));
    return await doubleCollect(
      readable.map((stream) => stream.node),
      {
        sampler: term.sampler,
        clock: this.#options.clock,
        timeoutMs: this.#options.sampleTimeoutMs ?? SAMPLE_TIMEOUT_MS,
        signal: term.signal,
        between: async (first) => {
          const acknowledged = await acknowledgedVector(streams, first, {
            acknowledgements: this.#options.acknowledgements,
            sampler: term.sampler,
            flushAfterMs: this.#flushAfterMs,
            signal: term.signal,
          });
          return { acknowledged, timestamp: await this.#options.timestamps.next(term.leadership) };
        },
      },
    );
  }

  /**
   * After the loss of all nodes what was acknowledged is the state, if commits waited for that. What lies behind it may still come to
   * light, when a node starts again: so nothing is forgotten because of such a cut, and no leader goes on from it.
   */
  async #cutAfterLoss(term: Term, collect: Collect<Between>, streams: readonly WalStreamKey[]): Promise<Draft | null> {
    const { synchronous, acknowledgements } = this.#options;
    const wasSynchronous =
      streams.every((stream) => term.synchronousOver.has(streamId(stream))) &&
      synchronous.untilSilence(streams.map(({ node }) => node));
    if (collect.nodes.length > 0 || !wasSynchronous) return null;
    const { tracker, signal } = term;
    const { failures } = collect;
    const waitMs = this.#options.sampleTimeoutMs ?? SAMPLE_TIMEOUT_MS;
    const matchers = this.#matchers;
    const recall = (nodes: readonly NodeTracker[]) =>
      term.forgotten.recall(
        nodes.map((known) => ({ known, silentFromLsn: null })),
        signal,
      );
    const cut = await cutAfterLoss({ streams, failures, tracker, acknowledgements, matchers, recall, waitMs, signal });
    if (cut === null) return null;
    const nodes = snapshotNodes(tracker, cut, (_, { limitLsn }) => ({ sampledLsn: limitLsn, sampled: false }));
    const deadline = this.#deadline(term);
    await Promise.all(nodes.map((node) => waitForDurable(node, this.#waiting(term, deadline))));
    return { cut, nodes, seen: [], class: { kind: 'causal' }, afterLoss: true };
  }

  /** The greatest closed cut below the collected vector, once it is decided and durable. */
  async #cut(term: Term, collect: Collect<Between>, streams: readonly WalStreamKey[]): Promise<Draft> {
    const { tracker } = term;
    const sampled = collect.nodes.filter(({ node, second }) => {
      const stream = streams.find((known) => known.node === node);
      return stream?.timeline === second.timeline && stream.systemIdentifier === second.systemIdentifier;
    });
    const deadline = this.#deadline(term);
    const waiting = this.#waiting(term, deadline);
    const { sampler } = term;
    const flushAfterMs = this.#flushAfterMs;
    await Promise.all(sampled.map((node) => waitForCollected(node, { ...waiting, tracker, sampler, flushAfterMs })));
    for (const { node, first, second } of sampled) {
      const known = tracker.node(node);
      const stream = known?.stream;
      if (known !== null && known.heldFromLsn > first.insertLsn) {
        throw new TidemarkError('TM-SNAP-002', `WAL of node ${node} from the time of the collect is missing`);
      }
      if (stream?.timeline !== second.timeline || stream.systemIdentifier !== second.systemIdentifier) {
        throw new TidemarkError('TM-SNAP-002', `node ${node} left timeline ${second.timeline} during the collect`);
      }
    }

    const seen = seenNodes(tracker, streams, sampled);
    await term.forgotten.recall(seen, term.signal);
    const complete = sampled.length === streams.length;
    // Without any transaction's end between a node's two readings, everything that was committed at the instant between the rounds
    // lies below the second vector, with every PREPARE that it needs, and nothing else does.
    const quiet = sampled.every(
      ({ node, first, second }) => tracker.node(node)?.eventsIn(first.insertLsn, second.insertLsn).ends === false,
    );
    const corrections = new Map(sampled.map((node) => [node.node, node.clock.offsetUs]));
    const cutBelow = (wishOf: (node: NodeCollect) => Lsn): Cut =>
      computeCut(cutNodesAt(tracker, streams, sampled, wishOf), this.#matchers, corrections);
    const acknowledged = quiet || !complete ? null : synchronousWish(collect);
    let cut = cutBelow(({ node, first, second }) =>
      quiet ? second.insertLsn : (acknowledged?.get(node) ?? first.insertLsn),
    );
    const synchronous = acknowledged !== null && cut.atWish;
    if (acknowledged !== null && !cut.atWish) {
      // A session that did not wait has committed before every PREPARE of its transaction was acknowledged.
      cut = cutBelow(({ first }) => first.insertLsn);
    }
    tracker.markBarrier(
      new Map(
        sampled.map(({ node, first, second }) => [node, { beforeLsn: first.insertLsn, afterLsn: second.insertLsn }]),
      ),
    );
    const nodes = snapshotNodes(tracker, cut, (node, { walEndLsn }) => {
      const vector = sampled.find((known) => known.node === node);
      return vector === undefined
        ? { sampledLsn: walEndLsn, sampled: false }
        : { sampledLsn: vector.second.insertLsn, sampled: true, clock: vector.clock };
    });
    await Promise.all(nodes.map((node) => waitForDurable(node, this.#waiting(term, this.#deadline(term)))));
    const causal = synchronous || (quiet && complete && cut.atWish);
    if (complete) {
      const isSynchronous = sampled.every(({ first, second }) => first.synchronous && second.synchronous);
      term.synchronousOver = new Set(isSynchronous ? streams.map((stream) => streamId(stream)) : []);
    }
    const kind: SnapshotClass = causal ? { kind: 'causal' } : { kind: 'bounded', boundUs: collect.firstRoundUs };
    return { cut, nodes, seen, class: kind, afterLoss: false };
  }

  async #declare(term: Term, snapshot: Snapshot): Promise<void> {
    const path = snapshotPath(snapshot.id);
    await term.leadership.put(LATEST_KEY, snapshot.id);
    await this.#options.repository.create(path, encodeSnapshot(snapshot));
    try {
      await this.#options.acknowledgements.waitForObject(path, this.#deadline(term));
    } catch (cause) {
      term.signal.throwIfAborted();
      throw new TidemarkError('TM-SNAP-002', `snapshot ${snapshot.id} is not yet on the required copies`, {
        hint: 'It is written here and is used once another copy has it. See tidemark status for the copies.',
        cause,
      });
    }
    if (snapshot.complete) term.last = snapshot;
    term.brokenToReport = [];
  }

  #waiting({ signal }: Term, deadline: AbortSignal) {
    return { acknowledgements: this.#options.acknowledgements, signal, deadline };
  }

  get #flushAfterMs(): number {
    return this.#options.flushAfterMs ?? 250;
  }

  #deadline(term: Term): AbortSignal {
    return withDeadline(term.signal, this.#options.durableTimeoutMs ?? 10_000);
  }
}
