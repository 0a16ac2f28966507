import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { CoordinatorInfo, Leadership } from '../coordination/coordination.ts';
import { followWal, getPeerState, type PeerPosition, type PeerState } from '../copies/peer-client.ts';
import type { Peers } from '../copies/peers.ts';
import { BoundedIntake } from '../journal/bounded-intake.ts';
import { streamId } from '../journal/wal-positions.ts';
import type { WalStore } from '../journal/wal-store.ts';

const STATE_DEADLINE_MS = 3_000;
/** A peer that gives nothing for this long is given up for now. */
const SILENCE_MAX_MS = 10_000;
const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;

export interface PeerCatchUpOptions {
  readonly dataCenter: string;
  readonly peers: Peers;
  readonly store: WalStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface AheadPeer {
  readonly peer: CoordinatorInfo;
  readonly position: PeerPosition;
}

/**
 * Brings the leader's own copy level with whichever peer is ahead of it. Asking the peers carries the leader's term, so that from then on
 * they report nothing to a lower one: whatever an earlier leader may have acknowledged lies in one of the answers, or in a copy that
 * did not answer and is asked again later.
 */
export class PeerCatchUp {
  readonly #options: PeerCatchUpOptions;

  constructor(options: PeerCatchUpOptions) {
    this.#options = options;
  }

  /**
   * Asks every peer and pulls what is missing here. Peers that do not answer are passed over.
   * @param wanted which streams; left out: all
   * @returns whether anything was missing and has been got
   */
  async run(
    leadership: Leadership,
    signal: AbortSignal,
    wanted: (stream: WalStreamKey) => boolean = () => true,
  ): Promise<boolean> {
    const states = await this.#states(leadership, signal);
    const ahead = new Map<string, AheadPeer[]>();
    for (const { peer, state } of states) {
      for (const position of state.positions) {
        if (!wanted(position.stream) || position.durableLsn <= this.#durable(position.stream)) continue;
        const id = streamId(position.stream);
        ahead.set(id, [...(ahead.get(id) ?? []), { peer, position }]);
      }
    }
    const results = await Promise.all([...ahead.values()].map((peers) => this.#pullFromBest(peers, signal)));
    return results.some((isGot) => isGot);
  }

  #durable(stream: WalStreamKey): Lsn {
    return this.#options.store.position(stream)?.durableLsn ?? NO_LSN;
  }

  async #states(leadership: Leadership, signal: AbortSignal): Promise<{ peer: CoordinatorInfo; state: PeerState }[]> {
    const { peers, logger } = this.#options;
    const answers = peers.others().map(async (peer) => {
      const channel = peers.channel(peer.address);
      const ask = (term: bigint): Promise<PeerState> =>
        getPeerState(channel, { term, coordinatorId: peers.coordinatorId }, STATE_DEADLINE_MS, signal);
      try {
        return [{ peer, state: await ask(leadership.term) }];
      } catch (error) {
        signal.throwIfAborted();
        logger.info({ err: error, peer: peer.coordinatorId }, 'a coordinator does not say what it holds');
        if (error instanceof TidemarkError && error.code === 'TM-LEAD-002') {
          leadership.notifyHigherTerm((await ask(0n)).highestTerm);
        }
        return [];
      }
    });
    return (await Promise.all(answers)).flat();
  }

  /** From the one that has most; if that fails, from the next. */
  async #pullFromBest(ahead: readonly AheadPeer[], signal: AbortSignal): Promise<boolean> {
    const best = ahead.toSorted((a, b) => (a.position.durableLsn > b.position.durableLsn ? -1 : 1));
    for (const { peer, position } of best) {
      if (position.durableLsn <= this.#durable(position.stream)) break;
      try {
        await this.#pull(peer, position, signal);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        const context = { err: error, peer: peer.coordinatorId, stream: streamId(position.stream) };
        this.#options.logger.warn(context, 'WAL that a coordinator is ahead with could not be got from it');
      }
    }
    return false;
  }

  async #pull(
    peer: CoordinatorInfo,
    { stream, segmentBytes, durableLsn }: PeerPosition,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, peers, dataCenter, clock } = this.#options;
    const call = new AbortController();
    const onAbort = (): void => call.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    let heardAtMs = clock.monotonicMs();
    const watch = async (): Promise<void> => {
      while (!call.signal.aborted) {
        await clock.sleep(1_000, call.signal);
        if (clock.monotonicMs() - heardAtMs > SILENCE_MAX_MS) {
          call.abort(
            new TidemarkError('TM-RPC-004', `${peer.coordinatorId} has sent nothing for ${SILENCE_MAX_MS} ms`),
          );
        }
      }
    };
    watch().catch(() => {});
    try {
      await store.settle(stream, signal);
      const following = followWal(peers.channel(peer.address), {
        fence: { term: 0n, coordinatorId: peers.coordinatorId },
        dataCenter,
        stream,
        fromLsn: store.resumeLsn(stream) ?? NO_LSN,
        signal: call.signal,
      });
      const intake = new BoundedIntake({
        store,
        stream,
        segmentBytes,
        inFlightBytesMax: IN_FLIGHT_BYTES_MAX,
        onDurable: () => {
          heardAtMs = clock.monotonicMs();
        },
        onFailure: (error) => call.abort(error),
      });
      for await (const message of following.messages) {
        heardAtMs = clock.monotonicMs();
        if (message.kind !== 'change-set') continue;
        await intake.add(message.changeSet, call.signal);
        if (message.changeSet.endLsn >= durableLsn) break;
      }
      await intake.drained(call.signal);
      if (this.#durable(stream) < durableLsn) {
        throw new TidemarkError('TM-RPC-001', `${peer.coordinatorId} ended the stream early`);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      call.abort(new TidemarkError('TM-RPC-001', 'the call is over'));
    }
  }
}
