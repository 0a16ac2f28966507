import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { NO_LSN, maxLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { Coordination, LeaderInfo } from '../coordination/coordination.ts';
import { BoundedIntake, IN_FLIGHT_BYTES_MAX } from '../journal/bounded-intake.ts';
import { streamId } from '../journal/wal-positions.ts';
import type { WalStore } from '../journal/wal-store.ts';
import type { TermStore } from '../../shared/term/term-store.ts';
import { LatestPosition } from './latest-position.ts';
import { followWal, getPeerState, type PeerPosition } from './peer-client.ts';
import type { Peers } from './peers.ts';

const DISCOVERY_MS = 1_000;
const STATE_DEADLINE_MS = 5_000;

export interface FollowerOptions {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly coordination: Pick<Coordination, 'leader' | 'onChange'>;
  readonly peers: Peers;
  readonly store: WalStore;
  readonly terms: TermStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes of frames of one stream that may wait to become durable. */
  readonly inFlightBytesMax?: number;
}

/** What stops one stream from being followed, for status. */
export interface FollowProblem {
  readonly stream: WalStreamKey;
  readonly problem: TidemarkError;
}

/**
 * Follows every WAL stream of the current leader while this coordinator does not lead, and says what is durable here. Says so to
 * nobody whose term is lower than the highest that this coordinator has seen; a term is on disk before anything is said in it.
 * What is said was compared with the leader's WAL first: every call begins with the last change set that is held already.
 */
export class Follower implements Service {
  readonly name = 'follower';
  readonly #options: FollowerOptions;
  readonly #acknowledged = new Map<string, Lsn>();
  readonly #problems = new Map<string, FollowProblem>();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** What a leader said to be acknowledged; NO_LSN if nothing was heard. */
  acknowledged(stream: WalStreamKey): Lsn {
    return this.#acknowledged.get(streamId(stream)) ?? NO_LSN;
  }

  problems(): readonly FollowProblem[] {
    return [...this.#problems.values()];
  }

  async run(signal: AbortSignal): Promise<void> {
    const { coordination, coordinatorId, clock, logger } = this.#options;
    while (!signal.aborted) {
      const leader = coordination.leader();
      if (leader !== null && leader.coordinatorId !== coordinatorId) {
        try {
          await this.#follow(leader, signal);
        } catch (error) {
          if (!signal.aborted)
            logger.info({ err: error, leader: leader.coordinatorId }, 'the leader cannot be followed');
        }
      }
      this.#problems.clear();
      await untilChange(coordination, clock, signal);
    }
  }

  /** Follows one leader in one term, until another is known or it does not answer. */
  async #follow(leader: LeaderInfo, stop: AbortSignal): Promise<void> {
    const { coordination, terms, clock } = this.#options;
    await terms.admit(leader.term, leader.coordinatorId);
    const over = new AbortController();
    const end = (why: string): void => over.abort(new TidemarkError('TM-LEAD-002', why));
    const endListening = [
      coordination.onChange(() => {
        const now = coordination.leader();
        if (now?.coordinatorId !== leader.coordinatorId || now.term !== leader.term || now.address !== leader.address) {
          end(`${leader.coordinatorId} does not lead any more`);
        }
      }),
      terms.onRaised((term) => {
        if (term > leader.term) end(`term ${term} has begun`);
      }),
    ];
    const onStop = (): void => over.abort(stop.reason);
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    const sessions = new Map<string, Promise<void>>();
    try {
      while (!over.signal.aborted) {
        for (const position of await this.#positions(leader, over.signal)) {
          const id = streamId(position.stream);
          if (sessions.has(id)) continue;
          const session = this.#followStream(leader, position, over.signal);
          sessions.set(
            id,
            session.finally(() => sessions.delete(id)),
          );
        }
        await clock.sleep(DISCOVERY_MS, over.signal);
      }
    } finally {
      over.abort(new TidemarkError('TM-LEAD-002', `${leader.coordinatorId} is not followed any more`));
      stop.removeEventListener('abort', onStop);
      for (const endOne of endListening) endOne();
      await Promise.allSettled(sessions.values());
    }
  }

  /** What the leader holds; nothing while it does not answer: the streams that run notice by themselves when it is gone. */
  async #positions(leader: LeaderInfo, signal: AbortSignal): Promise<readonly PeerPosition[]> {
    const { peers, coordinatorId, logger } = this.#options;
    try {
      const fence = { term: 0n, coordinatorId };
      return (await getPeerState(peers.channel(leader.address), fence, STATE_DEADLINE_MS, signal)).positions;
    } catch (error) {
      signal.throwIfAborted();
      logger.info({ err: error, leader: leader.coordinatorId }, 'the leader does not say what it holds');
      return [];
    }
  }

  /** Never rejects. Different bytes stop the stream for as long as this leader leads; anything else is tried again. */
  async #followStream(leader: LeaderInfo, position: PeerPosition, signal: AbortSignal): Promise<void> {
    const { stream } = position;
    const id = streamId(stream);
    try {
      await this.#pull(leader, position, signal);
    } catch (error) {
      if (signal.aborted) return;
      const problem = asTidemarkError(error);
      this.#problems.set(id, { stream, problem });
      this.#options.logger.warn({ err: error, stream: id, leader: leader.coordinatorId }, 'a stream is not followed');
      if (problem.code !== 'TM-WAL-004') return;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    }
  }

  async #pull(leader: LeaderInfo, position: PeerPosition, signal: AbortSignal): Promise<void> {
    const { store, peers, coordinatorId, dataCenter, inFlightBytesMax = IN_FLIGHT_BYTES_MAX } = this.#options;
    const { stream } = position;
    const id = streamId(stream);
    const call = new AbortController();
    const onAbort = (): void => call.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await store.settle(stream, signal);
      const following = followWal(peers.channel(leader.address), {
        fence: { term: leader.term, coordinatorId },
        dataCenter,
        stream,
        fromLsn: store.resumeLsn(stream) ?? NO_LSN,
        signal: call.signal,
      });
      const durable = new LatestPosition();
      const intake = new BoundedIntake({
        store,
        stream,
        segmentBytes: position.segmentBytes,
        inFlightBytesMax,
        onDurable: (durableLsn) => {
          durable.offer(durableLsn);
          this.#problems.delete(id);
        },
        onFailure: (error) => call.abort(error),
      });
      const sending = durable.sendAll((durableLsn) => following.sendDurable(durableLsn), call.signal);
      sending.catch((error: unknown) => call.abort(error));
      for await (const message of following.messages) {
        if (message.kind === 'change-set') {
          await intake.add(message.changeSet, call.signal);
        } else if (message.kind === 'acknowledged') {
          this.#acknowledged.set(id, maxLsn(this.acknowledged(stream), message.acknowledgedLsn));
        } else if (message.kind === 'hole') {
          // Whoever holds what is missing here gives it later.
          store.allowHoleBefore(stream, message.toLsn);
        } else if (message.term !== leader.term) {
          throw new TidemarkError('TM-LEAD-002', `${leader.coordinatorId} leads in term ${message.term}`);
        }
      }
      throw new TidemarkError('TM-RPC-001', `${leader.coordinatorId} ended the stream`);
    } finally {
      signal.removeEventListener('abort', onAbort);
      call.abort(new TidemarkError('TM-RPC-001', 'the call is over'));
    }
  }
}

async function untilChange(
  coordination: Pick<Coordination, 'onChange'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const woken = new AbortController();
  const wake = (): void => woken.abort();
  const endListening = coordination.onChange(wake);
  signal.addEventListener('abort', wake, { once: true });
  try {
    if (!signal.aborted) await clock.sleep(DISCOVERY_MS, woken.signal);
  } catch {
    // Woken: there is something to look at.
  } finally {
    endListening();
    signal.removeEventListener('abort', wake);
  }
}
