import { snapshotAt, type SnapshotAtOptions } from '../../shared/any-time/snapshot-at.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { CopyPosition } from '../copies/acknowledgement-tracker.ts';

interface AnyTimeOptions extends SnapshotAtOptions {
  readonly clock: Clock;
  readonly dataCenter: string;
  /** As far as this coordinator knows. */
  readonly copies: (stream: WalStreamKey) => readonly CopyPosition[];
  /** Takes a snapshot now; null while this coordinator does not lead. */
  readonly takeSnapshot: () => (() => Promise<unknown>) | null;
}

/**
 * The cluster at any time, computed from this coordinator's copy. A moment that has just passed is not told by what is held yet where a
 * node writes nothing: then the leader takes a snapshot, which reads every node's position after the moment.
 */
export class AnyTime {
  readonly #options: AnyTimeOptions;

  constructor(options: AnyTimeOptions) {
    this.#options = options;
  }

  /** @throws TidemarkError TM-SNAP-004 if it cannot be told */
  async at(timeUs: bigint): Promise<Snapshot> {
    const { clock, takeSnapshot } = this.#options;
    try {
      return await snapshotAt(this.#options, Number(timeUs));
    } catch (error) {
      const isTooEarlyToTell = error instanceof TidemarkError && error.code === 'TM-SNAP-004' && error.retryable;
      const take = takeSnapshot();
      if (!isTooEarlyToTell || take === null || Number(timeUs) > clock.nowMs() * 1000) throw error;
      try {
        await take();
      } catch {
        // Whoever asks after a loss wants to know the latest time that can be told.
        throw error;
      }
      return await snapshotAt(this.#options, Number(timeUs));
    }
  }

  /** Where all WAL that a restore of it needs is known to lie. */
  dataCenters({ nodes }: Pick<Snapshot, 'nodes'>): readonly string[] {
    const { copies, dataCenter } = this.#options;
    const holders = nodes.map(
      (node) =>
        new Set(
          copies(node)
            .filter(({ durableLsn }) => durableLsn >= node.walEndLsn)
            .map((copy) => copy.dataCenter),
        ),
    );
    const [first = new Set<string>()] = holders;
    const everywhere = [...first].filter((one) => holders.every((holder) => holder.has(one)));
    return [...new Set([dataCenter, ...everywhere])].sort();
  }
}
