import { openChannel, type Channel, type ChannelSettings } from '../../shared/rpc/channel.ts';
import type { Coordination, CoordinatorInfo } from '../coordination/coordination.ts';

interface PeersOptions {
  readonly coordination: Pick<Coordination, 'coordinators' | 'leader' | 'onChange'>;
  readonly coordinatorId: string;
  readonly channel: ChannelSettings;
}

/** The other coordinators, and one connection to each of those that was asked for. */
export class Peers {
  readonly coordinatorId: string;
  readonly #options: PeersOptions;
  readonly #channels = new Map<string, Channel>();
  readonly #seen = new Set<string>();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.coordinatorId = options.coordinatorId;
  }

  /** Every other coordinator that has made itself known. */
  others(): readonly CoordinatorInfo[] {
    const others = this.#options.coordination
      .coordinators()
      .filter(({ coordinatorId }) => coordinatorId !== this.coordinatorId);
    for (const { coordinatorId } of others) this.#seen.add(coordinatorId);
    return others;
  }

  /** The names of those that were there once, since this process began, and are not now. */
  gone(): readonly string[] {
    const others = new Set(this.others().map(({ coordinatorId }) => coordinatorId));
    return [...this.#seen].filter((coordinatorId) => !others.has(coordinatorId));
  }

  /** Calls back when the coordinators or the leader may have changed. */
  onChange(listener: () => void): () => void {
    return this.#options.coordination.onChange(listener);
  }

  /** The connection to an address; it is opened when first used and kept. */
  channel(address: string): Channel {
    let channel = this.#channels.get(address);
    if (channel === undefined) this.#channels.set(address, (channel = openChannel(address, this.#options.channel)));
    return channel;
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }
}
