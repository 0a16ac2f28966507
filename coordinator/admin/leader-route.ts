import * as grpc from '@grpc/grpc-js';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { CallContext } from '../../shared/rpc/handlers.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';

const FORWARDED = 'tidemark-forwarded';

/** Where a call is to be answered. */
export type Route =
  | { readonly kind: 'here'; readonly leadership: Leadership }
  | { readonly kind: 'leader'; readonly channel: Channel; readonly metadata: grpc.Metadata };

interface LeaderRouteOptions {
  readonly coordinatorId: string;
  readonly coordination: Pick<Coordination, 'leader'>;
  /** This coordinator's own leadership; null while it does not lead. */
  readonly leadership: () => Leadership | null;
  readonly open: (address: string) => Channel;
}

/**
 * Finds the leader for a call. A call is passed on once at most: whoever gets a forwarded call and does not lead says so, and
 * the caller asks again.
 */
export class LeaderRoute {
  readonly #options: LeaderRouteOptions;
  #channel: Channel | null = null;

  constructor(options: LeaderRouteOptions) {
    this.#options = options;
  }

  /** @throws TidemarkError TM-LEAD-001 if nobody leads, or the call was passed on already and this coordinator does not */
  find(context: Pick<CallContext, 'metadata'>): Route {
    const { coordination, coordinatorId } = this.#options;
    const leadership = this.#options.leadership();
    if (leadership !== null && !leadership.signal.aborted) {
      return { kind: 'here', leadership };
    }
    if (context.metadata.get(FORWARDED).length > 0) {
      throw new TidemarkError('TM-LEAD-001', `coordinator ${coordinatorId} does not lead any more`, {
        hint: 'The leadership has just moved: try again.',
      });
    }
    const leader = coordination.leader();
    if (leader === null || leader.coordinatorId === coordinatorId) {
      throw new TidemarkError('TM-LEAD-001', 'there is no leader at the moment');
    }
    const metadata = new grpc.Metadata();
    metadata.set(FORWARDED, '1');
    return { kind: 'leader', channel: this.#channelTo(leader.address), metadata };
  }

  close(): void {
    this.#channel?.close();
    this.#channel = null;
  }

  #channelTo(address: string): Channel {
    if (this.#channel?.address !== address) {
      this.#channel?.close();
      this.#channel = this.#options.open(address);
    }
    return this.#channel;
  }
}
