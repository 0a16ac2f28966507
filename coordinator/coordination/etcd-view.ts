import type { Clock } from '../../shared/lifecycle/clock.ts';
import { untilAborted } from '../../shared/lifecycle/until-aborted.ts';
import type { CoordinatorInfo, LeaderInfo } from './coordination.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import { decodeCoordinator, decodeLeader, prefixEnd, type EtcdKeys } from './etcd-keys.ts';

const WATCH_PAUSE_MS = 200;

/** What one reading of etcd showed. */
export interface EtcdView {
  /** Readings are numbered in the order in which they began. */
  readonly reading: number;
  /** Null if nobody leads. */
  readonly leaderKey: { readonly createRevision: string; readonly leader: LeaderInfo | null } | null;
  readonly coordinators: readonly CoordinatorInfo[];
}

interface EtcdViewReaderOptions {
  readonly connection: EtcdConnection;
  readonly keys: EtcdKeys;
  readonly clock: Clock;
  /** Between two readings that nothing asked for. */
  readonly pollMs: number;
}

/**
 * Keeps reading who leads and who is there. What counts is always a whole reading, one after the other; a watch only says when the next
 * one is due, so that an event lost by it delays the news by no more than the polling interval.
 */
export class EtcdViewReader {
  readonly #connection: EtcdConnection;
  readonly #keys: EtcdKeys;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #listeners = new Set<(view: EtcdView) => void>();
  #readings = 0;
  #wake: () => void = () => undefined;
  #due = true;

  constructor(options: EtcdViewReaderOptions) {
    this.#connection = options.connection;
    this.#keys = options.keys;
    this.#clock = options.clock;
    this.#pollMs = options.pollMs;
  }

  /** The number of the reading that began last. */
  get readings(): number {
    return this.#readings;
  }

  /** Reads until `signal` is aborted. Failures only delay. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.wake();
    signal.addEventListener('abort', stop);
    await Promise.all([this.#readLoop(signal), this.#watchLoop(signal)]);
    signal.removeEventListener('abort', stop);
  }

  /** Calls back with every reading. Returns the function that ends it. */
  onReading(listener: (view: EtcdView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads again at once. */
  wake(): void {
    this.#due = true;
    this.#wake();
  }

  /**
   * The first reading that begins after this call and satisfies the condition.
   * Rejects with the signal's reason when it is aborted.
   */
  until(condition: (view: EtcdView) => boolean, signal: AbortSignal): Promise<EtcdView> {
    const after = this.#readings;
    return new Promise((resolve, reject) => {
      const abort = () => {
        end();
        reject(signal.reason as Error);
      };
      const end = this.onReading((view) => {
        if (view.reading > after && condition(view)) {
          end();
          signal.removeEventListener('abort', abort);
          resolve(view);
        }
      });
      if (signal.aborted) {
        abort();
      } else {
        signal.addEventListener('abort', abort, { once: true });
        this.wake();
      }
    });
  }

  async #readLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#due = false;
      try {
        const view = await this.#read();
        for (const listener of this.#listeners) {
          listener(view);
        }
      } catch {
        // The connection says that it is not reachable; what was read last is what is known.
      }
      await this.#untilDue(signal);
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    if (this.#due || signal.aborted) {
      return;
    }
    const waiting = new AbortController();
    this.#wake = () => waiting.abort();
    await this.#clock.sleep(this.#pollMs, waiting.signal).catch(() => undefined);
  }

  async #read(): Promise<EtcdView> {
    this.#readings += 1;
    const reading = this.#readings;
    const { leader, coordinatorsPrefix } = this.#keys;
    const response = await this.#connection.call((client, options) =>
      client.kv.txn(
        {
          success: [
            { request_range: { key: Buffer.from(leader) } },
            { request_range: { key: Buffer.from(coordinatorsPrefix), range_end: prefixEnd(coordinatorsPrefix) } },
          ],
        },
        options,
      ),
    );
    const [leaderKey] = response.responses[0]?.response_range.kvs ?? [];
    const present = response.responses[1]?.response_range.kvs ?? [];
    return {
      reading,
      leaderKey:
        leaderKey === undefined
          ? null
          : { createRevision: leaderKey.create_revision, leader: decodeLeader(leaderKey.value.toString()) },
      coordinators: present.map(({ value }) => decodeCoordinator(value.toString())).filter((info) => info !== null),
    };
  }

  async #watchLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#watch(signal);
      } catch {
        // As above: until a watch stands again, the polling interval holds.
      }
      await this.#clock.sleep(WATCH_PAUSE_MS, signal).catch(() => undefined);
    }
  }

  /** One watch stream, until it breaks. Whatever comes on it, the confirmation that it stands too, makes a reading due. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { client, ended } = this.#connection.current();
    const stream = await client.watchClient.watch();
    const broken = new AbortController();
    stream.on('data', () => this.wake());
    stream.on('error', () => broken.abort());
    stream.on('end', () => broken.abort());
    const { leader, coordinatorsPrefix } = this.#keys;
    stream.write({ create_request: { key: Buffer.from(leader) } });
    stream.write({
      create_request: { key: Buffer.from(coordinatorsPrefix), range_end: prefixEnd(coordinatorsPrefix) },
    });
    await untilAborted(signal, ended, broken.signal);
    stream.cancel();
  }
}
