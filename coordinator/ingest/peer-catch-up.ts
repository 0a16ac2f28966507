import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { NO_LSN } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { CoordinatorInfo, Leadership } from '../coordination/coordination.ts';
import { fetchWal, missingHere, type FetchWalOptions } from '../copies/fetch-wal.ts';
import { getPeerState, type PeerPosition, type PeerState } from '../copies/peer-client.ts';
import { streamId } from '../journal/wal-positions.ts';

const STATE_DEADLINE_MS = 3_000;

export interface PeerCatchUpOptions extends FetchWalOptions {
  readonly logger: Logger;
}

interface HoldingPeer {
  readonly peer: CoordinatorInfo;
  readonly position: PeerPosition;
}

interface Answers {
  readonly states: readonly { readonly peer: CoordinatorInfo; readonly state: PeerState }[];
  readonly silent: readonly string[];
}

/**
 * Brings the end of the leader's own copy level with whichever peer is ahead of it. Asking the peers carries the leader's term, so that
 * from then on they report nothing to a lower one: whatever an earlier leader may have acknowledged lies in one of the answers, or in a
 * copy that did not answer and is asked again later.
 */
export class PeerCatchUp {
  readonly #options: PeerCatchUpOptions;

  constructor(options: PeerCatchUpOptions) {
    this.#options = options;
  }

  /**
   * Asks every peer and pulls what is missing here behind the end of each stream. Peers that do not answer are passed over.
   * @param wanted which streams; left out: all
   * @returns the coordinators that did not answer, or failed to give what they hold, and those that are known to have gone away
   */
  async run(
    leadership: Leadership,
    signal: AbortSignal,
    wanted: (stream: WalStreamKey) => boolean = () => true,
  ): Promise<readonly string[]> {
    const { states, silent } = await this.#states(leadership, signal);
    const holding = new Map<string, HoldingPeer[]>();
    for (const { peer, state } of states) {
      for (const position of state.positions.filter(({ stream }) => wanted(stream))) {
        const id = streamId(position.stream);
        holding.set(id, [...(holding.get(id) ?? []), { peer, position }]);
      }
    }
    const failed = await Promise.all([...holding.values()].map((peers) => this.#pullStream(peers, signal)));
    return [...new Set([...silent, ...this.#options.peers.gone(), ...failed.flat()])];
  }

  async #states(leadership: Leadership, signal: AbortSignal): Promise<Answers> {
    const { peers, logger } = this.#options;
    const silent: string[] = [];
    const answers = peers.others().map(async (peer) => {
      const channel = peers.channel(peer.address);
      const ask = (term: bigint): Promise<PeerState> =>
        getPeerState(channel, { term, coordinatorId: peers.coordinatorId }, STATE_DEADLINE_MS, signal);
      try {
        return [{ peer, state: await ask(leadership.term) }];
      } catch (error) {
        signal.throwIfAborted();
        silent.push(peer.coordinatorId);
        logger.info({ err: error, peer: peer.coordinatorId }, 'a coordinator does not say what it holds');
        if (error instanceof TidemarkError && error.code === 'TM-LEAD-002') {
          leadership.notifyHigherTerm((await ask(0n)).highestTerm);
        }
        return [];
      }
    });
    return { states: (await Promise.all(answers)).flat(), silent };
  }

  /** From the one that has most; what it has not, or fails to give, from the next. Returns those that failed. */
  async #pullStream(holding: readonly HoldingPeer[], signal: AbortSignal): Promise<string[]> {
    const { store, logger } = this.#options;
    const failed: string[] = [];
    for (const { peer, position } of holding.toSorted((a, b) =>
      a.position.durableLsn > b.position.durableLsn ? -1 : 1,
    )) {
      const durableLsn = store.position(position.stream)?.durableLsn ?? NO_LSN;
      try {
        for (const range of missingHere(store, position)) {
          if (range.startLsn >= durableLsn) await fetchWal(this.#options, peer, position, range, signal);
        }
      } catch (error) {
        signal.throwIfAborted();
        failed.push(peer.coordinatorId);
        const context = { err: error, peer: peer.coordinatorId, stream: streamId(position.stream) };
        logger.warn(context, 'WAL that a coordinator is ahead with could not be got from it');
      }
    }
    return failed;
  }
}
