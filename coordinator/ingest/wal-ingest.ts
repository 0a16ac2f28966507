import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { ClockReading } from '../../shared/wal/clock-reading.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { AcknowledgementTracker } from '../copies/acknowledgement-tracker.ts';
import type { ObservedRepository } from '../copies/observed-repository.ts';
import type { Peers } from '../copies/peers.ts';
import type { LeaderDuty } from '../election/leader-duty.ts';
import type { WalStore } from '../journal/wal-store.ts';
import { NodeIngest, type NodeIngestStatus } from './node-ingest.ts';
import { PeerCatchUp } from './peer-catch-up.ts';

/** The part of Membership that is used here. */
export interface IngestMembership {
  nodes(): readonly { readonly node: string }[];
  primary(node: string): Instance | null;
  onChange(listener: () => void): () => void;
}

export interface WalIngestOptions {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly membership: IngestMembership;
  readonly peers: Peers;
  readonly store: WalStore;
  readonly repository: ObservedRepository;
  readonly tracker: AcknowledgementTracker;
  /** A kept connection to an agent, for example `(address) => agentPeers.channel(address)`. */
  readonly agentChannel: (address: string) => Channel;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Bytes of frames of one node that may wait to become durable here; default 32 MiB. */
  readonly inFlightBytesMax?: number;
  /** What was measured of a node's clock up to a position, each reading once; it is kept with the WAL. */
  readonly clockReadings?: (stream: WalStreamKey, endLsn: Lsn) => readonly ClockReading[];
  /** How long a coordinator that does not answer is waited for, where it may hold what PostgreSQL has no more; default 30 s. */
  readonly patienceMs?: number;
  /** For metrics. */
  readonly onReceived?: (node: string, walBytes: number, frameBytes: number) => void;
}

/**
 * The leader's intake: takes over what peers are ahead with, then pulls every node's WAL from its primary's agent, each node by
 * itself. While it runs, and only then, the tracker counts in this leadership's term.
 */
export class WalIngest implements LeaderDuty {
  readonly name = 'ingest';
  readonly #options: WalIngestOptions;
  readonly #nodes = new Map<string, NodeIngest>();

  constructor(options: WalIngestOptions) {
    this.#options = options;
  }

  /** Every node that is or was pulled in this leadership; empty while this coordinator does not lead. */
  status(): readonly NodeIngestStatus[] {
    return [...this.#nodes.values()].map((node) => node.status()).sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    const { membership, store, tracker, logger } = this.#options;
    tracker.lead(leadership.term);
    const endOwn = store.onAppended((stream, changeSet) => tracker.reportOwn(stream, changeSet.endLsn));
    for (const { stream, durableLsn } of store.positions()) tracker.reportOwn(stream, durableLsn);
    const catchUp = new PeerCatchUp(this.#options);
    const running: Promise<void>[] = [];
    const startNew = (): void => {
      for (const { node } of membership.nodes()) {
        if (this.#nodes.has(node)) continue;
        const ingest = new NodeIngest(node, this.#options, leadership, catchUp);
        this.#nodes.set(node, ingest);
        running.push(ingest.run(signal));
      }
    };
    let endListening = (): void => {};
    try {
      await catchUp.run(leadership, signal);
      logger.info({ term: leadership.term.toString() }, 'the WAL of all coordinators that answer is held');
      endListening = membership.onChange(startNew);
      startNew();
      await untilAborted(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      endListening();
      endOwn();
      tracker.resign(leadership.term);
      await Promise.all(running);
      this.#nodes.clear();
    }
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
