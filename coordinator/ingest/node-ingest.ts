import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { Backoff } from '../../shared/lifecycle/retry.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { NO_LSN, formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { Leadership } from '../coordination/coordination.ts';
import { pullFromAgent } from './agent-session.ts';
import { LagMeter } from './lag-meter.ts';
import { LostWal } from './lost-wal.ts';
import type { WalIngestOptions } from './wal-ingest.ts';
import { IN_FLIGHT_BYTES_MAX } from '../journal/bounded-intake.ts';
import type { PeerCatchUp } from './peer-catch-up.ts';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
const INSTANCE_DEADLINE_MS = 5_000;
/** PostgreSQL keeps new WAL meanwhile, and what a coordinator brings back later is taken all the same. */
const PATIENCE_MS = 30_000;

/**
 * `streaming`: WAL flows. `waiting`: no primary is registered, or its PostgreSQL is away. `unreachable`: its agent does not answer.
 * `broken`: it cannot go on without a person; it is tried again all the same.
 */
export type NodeIngestState = 'streaming' | 'waiting' | 'unreachable' | 'broken';

/** How the intake of one node stands. */
export interface NodeIngestStatus {
  readonly node: string;
  readonly systemIdentifier: string;
  /** The timeline that is streamed; 0 if none was yet. */
  readonly timeline: number;
  readonly instance: string;
  readonly agentAddress: string;
  readonly state: NodeIngestState;
  /** Why it does not stream, in words; empty if it does. */
  readonly problem: string;
  /** PostgreSQL's flush position as last heard; NO_LSN if it was not. */
  readonly serverWalEndLsn: Lsn;
  readonly acknowledgedLsn: Lsn;
  /** Of what is acknowledged, behind PostgreSQL's flush position. */
  readonly lagBytes: number;
  readonly lagMs: number;
  /** Wall clock; 0 if nothing was heard from the agent. */
  readonly lastHeardAtMs: number;
}

/** Pulls one node's WAL for as long as this coordinator leads: from peers that are ahead, then from the primary's agent. */
export class NodeIngest {
  readonly node: string;
  readonly #options: WalIngestOptions;
  readonly #leadership: Leadership;
  readonly #catchUp: PeerCatchUp;
  readonly #lag = new LagMeter();
  readonly #lost: LostWal;
  #stream: WalStreamKey | null = null;
  #instance: Instance | null = null;
  #state: NodeIngestState = 'waiting';
  #problem = 'no primary has registered';
  #lastHeardAtMs = 0;

  constructor(node: string, options: WalIngestOptions, leadership: Leadership, catchUp: PeerCatchUp) {
    this.node = node;
    this.#options = options;
    this.#leadership = leadership;
    this.#catchUp = catchUp;
    this.#lost = new LostWal({
      ...options,
      term: leadership.term,
      patienceMs: options.patienceMs ?? PATIENCE_MS,
    });
  }

  status(): NodeIngestStatus {
    const stream = this.#stream;
    const acknowledgedLsn = stream === null ? NO_LSN : this.#options.tracker.acknowledged(stream);
    return {
      node: this.node,
      systemIdentifier: stream?.systemIdentifier ?? this.#instance?.systemIdentifier ?? '',
      timeline: stream?.timeline ?? 0,
      instance: this.#instance?.instance ?? '',
      agentAddress: this.#instance?.advertisedAddress ?? '',
      state: this.#state,
      problem: this.#problem,
      serverWalEndLsn: this.#lag.serverLsn,
      acknowledgedLsn,
      lagBytes: this.#lag.bytes(acknowledgedLsn),
      lagMs: Math.round(this.#lag.ms(acknowledgedLsn, this.#options.clock.monotonicMs())),
      lastHeardAtMs: this.#lastHeardAtMs,
    };
  }

  /** The stream that is being pulled; null if none was yet. */
  get stream(): WalStreamKey | null {
    return this.#stream;
  }

  /** Works until the signal is aborted; never rejects before. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, membership, logger } = this.#options;
    const backoff = new Backoff({ clock, random, initialMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    let isRetry = false;
    while (!signal.aborted) {
      const changed = new AbortController();
      const wake = (): void => changed.abort();
      const endListening = membership.onChange(() => {
        if (membership.primary(this.node)?.advertisedAddress !== this.#instance?.advertisedAddress) wake();
      });
      signal.addEventListener('abort', wake, { once: true });
      try {
        this.#instance = membership.primary(this.node);
        if (this.#instance === null) {
          this.#stands('waiting', 'no primary has registered');
        } else {
          const instance = this.#instance;
          // A retry asks the peers first: one that was away at the takeover may hold what the agent has no more.
          if (isRetry) {
            this.#lost.asked(await this.#catchUp.run(this.#leadership, signal, ({ node }) => node === this.node));
          }
          isRetry = true;
          await this.#pull(instance, changed.signal, () => backoff.reset());
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!changed.signal.aborted) {
          await this.#failed(error, signal);
          logger.warn({ err: error, node: this.node, state: this.#state }, 'WAL of a node does not flow');
        }
      } finally {
        endListening();
        signal.removeEventListener('abort', wake);
      }
      if (!changed.signal.aborted) await this.#waitForNews(backoff, signal);
    }
  }

  async #pull(instance: Instance, signal: AbortSignal, onProgress: () => void): Promise<void> {
    const { store, tracker, repository, coordinatorId, clock, agentChannel, inFlightBytesMax } = this.#options;
    const newest = this.#newestOf(instance);
    const givenUp = this.#lost.givenUp;
    const newestHeld = store.position(newest);
    if (givenUp !== null && givenUp.timeline < newest.timeline && newestHeld !== null) {
      // The end of an earlier timeline: what comes after it is here.
      await this.#lost.declare(newest, newestHeld.segmentBytes, newestHeld.firstLsn);
      return;
    }
    const begun = givenUp === null ? await this.#lost.unfinished(newest) : null;
    const stream = givenUp === null ? (begun?.stream ?? newest) : { ...newest, timeline: instance.timeline };
    this.#stream = stream;
    this.#beginsAnew = givenUp !== null;
    if (begun !== null) this.#beginLsn = begun.endLsn;
    const end = await pullFromAgent(
      {
        channel: agentChannel(instance.advertisedAddress),
        term: this.#leadership.term,
        coordinatorId,
        stream,
        beginLsn: this.#beginLsn,
        onBeginAnew:
          givenUp === null
            ? null
            : async (startLsn, segmentBytes) => {
                await this.#lost.declare(stream, segmentBytes, startLsn);
                store.allowHoleBefore(stream, startLsn);
              },
        store,
        repository,
        tracker,
        inFlightBytesMax: inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX,
        onHeard: (serverWalEndLsn) => {
          this.#stands('streaming', '');
          this.#lastHeardAtMs = clock.nowMs();
          this.#lag.reached(tracker.acknowledged(stream));
          if (serverWalEndLsn !== null) this.#lag.seen(serverWalEndLsn, clock.monotonicMs());
          onProgress();
        },
        onReceived: (walBytes, frameBytes) => this.#options.onReceived?.(this.node, walBytes, frameBytes),
        clockReadings: this.#options.clockReadings ?? (() => []),
      },
      signal,
    );
    const context = { node: this.node, timeline: stream.timeline, nextTimeline: end.nextTimeline };
    this.#options.logger.info({ ...context, endLsn: formatLsn(end.endLsn) }, 'a timeline has ended');
    if (end.nextTimeline <= stream.timeline) {
      throw new TidemarkError('TM-RPC-003', `timeline ${end.nextTimeline} cannot follow ${stream.timeline}`);
    }
    this.#stream = { ...stream, timeline: end.nextTimeline };
    this.#beginLsn = segmentStart(end.endLsn, end.segmentBytes);
  }

  #beginLsn: Lsn = NO_LSN;
  #beginsAnew = false;

  /** The newest timeline that is held or was said to follow; for a node of which nothing is held, the server's own. */
  #newestOf(instance: Instance): WalStreamKey {
    const { node, systemIdentifier } = instance;
    const held = this.#options.store
      .positions()
      .filter(({ stream }) => stream.node === node && stream.systemIdentifier === systemIdentifier)
      .map(({ stream }) => stream.timeline);
    const followed = this.#stream?.systemIdentifier === systemIdentifier ? this.#stream.timeline : 0;
    const timeline = Math.max(followed, ...held);
    return { node, systemIdentifier, timeline: timeline === 0 ? instance.timeline : timeline };
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const problem = asTidemarkError(error);
    // Where not even what the slot holds can be given, somebody has to do something.
    const code = problem.code === 'TM-WAL-003' && this.#beginsAnew ? '' : problem.code;
    switch (code) {
      case 'TM-RPC-001':
      case 'TM-RPC-002':
      case 'TM-RPC-004':
        this.#stands('unreachable', problem.message);
        break;
      case 'TM-PG-001':
      case 'TM-WAL-006':
        this.#stands('waiting', problem.message);
        break;
      case 'TM-LEAD-002':
        this.#stands('waiting', problem.message);
        await this.#learnTerm(signal);
        break;
      case 'TM-WAL-003':
        this.#noticeLoss(problem.message);
        break;
      default:
        this.#stands('broken', `${problem.message} (${problem.code}: ${problem.hint})`);
    }
  }

  /** PostgreSQL has no more what comes next. */
  #noticeLoss(reason: string): void {
    const stream = this.#stream;
    if (stream === null) return;
    const fromLsn = this.#options.store.position(stream)?.durableLsn ?? this.#beginLsn;
    if (fromLsn !== NO_LSN) this.#lost.noticed(stream, fromLsn, reason);
    const seconds = Math.ceil(this.#lost.waitingForMs / 1000);
    const wait =
      seconds === 0
        ? 'the other coordinators are asked for it'
        : `${this.#lost.waitingFor} may hold it and is waited for, ${seconds} s more`;
    this.#stands('waiting', `${reason}; ${wait}`);
  }

  /** The agent has seen a higher term: which one ends this leadership. */
  async #learnTerm(signal: AbortSignal): Promise<void> {
    const { agentChannel } = this.#options;
    const address = this.#instance?.advertisedAddress;
    if (address === undefined) return;
    try {
      const settings = { deadlineMs: INSTANCE_DEADLINE_MS, signal };
      const instance = await callUnary(agentChannel(address).agent, 'GetInstance', {}, settings);
      if (instance !== undefined) this.#leadership.notifyHigherTerm(BigInt(instance.highestTerm));
    } catch {
      // Asked again after the next refusal.
    }
  }

  #stands(state: NodeIngestState, problem: string): void {
    this.#state = state;
    this.#problem = problem;
  }

  /** Until it is time to try again, or the primary is another. */
  async #waitForNews(backoff: Backoff, signal: AbortSignal): Promise<void> {
    const news = new AbortController();
    const wake = (): void => news.abort();
    const endListening = this.#options.membership.onChange(wake);
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (!signal.aborted) await backoff.wait(news.signal);
    } catch {
      // Woken early.
    } finally {
      endListening();
      signal.removeEventListener('abort', wake);
    }
  }
}
