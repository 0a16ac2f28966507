import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { formatLsn, NO_LSN } from '../../shared/postgres/lsn.ts';
import type { CoordinatorInfo } from '../coordination/coordination.ts';
import { streamId } from '../journal/wal-positions.ts';
import { fetchWal, missingHere, type FetchWalOptions } from './fetch-wal.ts';
import { getPeerState, type PeerPosition } from './peer-client.ts';

const INTERVAL_MS = 5_000;
const STATE_DEADLINE_MS = 3_000;

export interface HoleFillerOptions extends FetchWalOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

/**
 * Gets from the other coordinators what this copy lacks of the past: holes, what lies before the first run, and earlier timelines.
 * Whoever comes back with WAL that nobody else had gives it to all. The end of a node's newest timeline is not its business: a
 * leader takes that from the agent, a follower from the leader.
 */
export class HoleFiller implements Service {
  readonly name = 'hole-filler';
  readonly #options: HoleFillerOptions;

  constructor(options: HoleFillerOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { peers, clock, logger, intervalMs = INTERVAL_MS } = this.#options;
    while (!signal.aborted) {
      for (const peer of peers.others()) {
        try {
          await this.#fillFrom(peer, signal);
        } catch (error) {
          if (signal.aborted) return;
          logger.debug({ err: error, peer: peer.coordinatorId }, 'missing WAL could not be asked for');
        }
      }
      await clock.sleep(intervalMs, signal).catch(() => {});
    }
  }

  async #fillFrom(peer: CoordinatorInfo, signal: AbortSignal): Promise<void> {
    const { peers, store, logger } = this.#options;
    const fence = { term: 0n, coordinatorId: peers.coordinatorId };
    const { positions } = await getPeerState(peers.channel(peer.address), fence, STATE_DEADLINE_MS, signal);
    for (const position of positions) {
      const durableLsn = store.position(position.stream)?.durableLsn ?? NO_LSN;
      const isNewest = this.#isNewest(position, positions);
      for (const range of missingHere(store, position)) {
        if (isNewest && range.startLsn >= durableLsn) continue;
        const context = {
          stream: streamId(position.stream),
          fromLsn: formatLsn(range.startLsn),
          toLsn: formatLsn(range.endLsn),
          peer: peer.coordinatorId,
        };
        try {
          await fetchWal(this.#options, peer, position, range, signal);
          logger.info(context, 'WAL that was missing in this copy was got from another');
        } catch (error) {
          signal.throwIfAborted();
          logger.warn({ err: error, ...context }, 'WAL that is missing in this copy could not be got');
        }
      }
    }
  }

  #isNewest({ stream }: PeerPosition, others: readonly PeerPosition[]): boolean {
    return [...this.#options.store.positions(), ...others].every(
      (other) =>
        other.stream.node !== stream.node ||
        other.stream.systemIdentifier !== stream.systemIdentifier ||
        other.stream.timeline <= stream.timeline,
    );
  }
}
