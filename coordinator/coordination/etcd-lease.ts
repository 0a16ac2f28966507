import { EtcdLeaseInvalidError, type Etcd3 } from 'etcd3';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { CallDeadline, EtcdConnection } from './etcd-connection.ts';

const REVOKE_TIMEOUT_MS = 1000;
const RETRY_PAUSE_MS = 200;
/** Of the lease's time, kept back for clocks that run unevenly and for etcd's own change of leader. */
const MARGIN_FRACTION = 0.25;

/**
 * A lease in etcd that is renewed until it is ended. The own deadline counts, on a monotonic clock, from when the last renewal that
 * was answered had been SENT: until then the lease exists, whatever happens to etcd or the network.
 */
export class EtcdLease {
  readonly id: string;
  readonly ttlMs: number;
  readonly #connection: EtcdConnection;
  readonly #clock: Clock;
  readonly #gone = new AbortController();
  readonly #ending = new AbortController();
  #validUntilMs: number;
  #revoking: Promise<void> | null = null;

  private constructor(
    connection: EtcdConnection,
    clock: Clock,
    granted: { readonly id: string; readonly ttlMs: number; readonly sentAtMs: number },
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.id = granted.id;
    this.ttlMs = granted.ttlMs;
    this.#validUntilMs = this.#deadline(granted.sentAtMs);
  }

  /** @throws TidemarkError TM-LEAD-003 */
  static async grant(connection: EtcdConnection, clock: Clock, ttlMs: number): Promise<EtcdLease> {
    let sentAtMs = 0;
    const ttlSeconds = Math.max(1, Math.ceil(ttlMs / 1000));
    const granted = await connection.call((client, options) => {
      sentAtMs = clock.monotonicMs();
      return client.leaseClient.leaseGrant({ TTL: ttlSeconds }, options);
    });
    // etcd may give more than was asked for, never less than its own minimum.
    const lease = new EtcdLease(connection, clock, { id: granted.ID, ttlMs: Number(granted.TTL) * 1000, sentAtMs });
    void lease.#renew();
    return lease;
  }

  /** Aborted when etcd says that the lease does not exist any more, or when it was revoked here. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether it must exist still. */
  get valid(): boolean {
    return !this.#gone.signal.aborted && this.#clock.monotonicMs() < this.#validUntilMs;
  }

  /** Ends the lease, and with it its keys. If etcd does not answer, it runs out by itself. */
  revoke(): Promise<void> {
    this.#ending.abort();
    this.#gone.abort();
    this.#revoking ??= this.#revoke();
    return this.#revoking;
  }

  async #revoke(): Promise<void> {
    try {
      await this.#connection.call(
        (client, options) => client.leaseClient.leaseRevoke({ ID: this.id }, options),
        Math.min(REVOKE_TIMEOUT_MS, this.#connection.callTimeoutMs),
      );
    } catch (error) {
      // What was to be ended does not exist, or ends within its time: both are what was asked for.
      if (!(error instanceof EtcdLeaseInvalidError || error instanceof TidemarkError)) {
        throw error;
      }
    }
  }

  async #renew(): Promise<void> {
    const intervalMs = this.ttlMs / 3;
    let pauseMs = intervalMs;
    while (await this.#pause(pauseMs)) {
      let sentAtMs = 0;
      try {
        const ttlSeconds = await this.#connection.call(
          (client, options) => {
            sentAtMs = this.#clock.monotonicMs();
            return renewOnce(client, this.id, options);
          },
          Math.min(intervalMs, this.#connection.callTimeoutMs),
        );
        if (ttlSeconds <= 0) {
          this.#gone.abort();
          return;
        }
        pauseMs = intervalMs;
        this.#validUntilMs = Math.max(this.#validUntilMs, this.#deadline(sentAtMs));
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) {
          this.#gone.abort();
          return;
        }
        // The deadline tells what follows from an etcd that does not answer. It may come back before that.
        pauseMs = RETRY_PAUSE_MS;
      }
    }
  }

  #deadline(sentAtMs: number): number {
    return sentAtMs + this.ttlMs * (1 - MARGIN_FRACTION);
  }

  async #pause(durationMs: number): Promise<boolean> {
    await this.#clock.sleep(durationMs, this.#ending.signal).catch(() => undefined);
    return !this.#ending.signal.aborted;
  }
}

/** One renewal on a stream of its own. Returns the seconds that the lease has now; 0 or less if it does not exist. */
async function renewOnce(client: Etcd3, id: string, options: CallDeadline): Promise<number> {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  try {
    return await new Promise<number>((resolve, reject) => {
      stream.on('data', (response) => resolve(Number(response.TTL)));
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('etcd ended the renewal without an answer')));
      stream.write({ ID: id });
    });
  } finally {
    stream.cancel();
  }
}
