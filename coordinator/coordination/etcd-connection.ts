import {
  Etcd3,
  EtcdAuthenticationFailedError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  type IOptions,
} from 'etcd3';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';

const RECEIVE_BYTES_MAX = 64 * 1024 * 1024;
/** Between two rounds over endpoints that all failed at once. */
const ROUND_PAUSE_MS = 100;

export interface EtcdAccess {
  /** `http://host:port` or `https://host:port`; all of one kind. */
  readonly endpoints: readonly string[];
  /** PEM. Without it `https` endpoints are checked against the system's certificates. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
  /** For one call, over all endpoints that are tried. */
  readonly callTimeoutMs: number;
}

export interface CallDeadline {
  /** For grpc: wall clock, milliseconds since 1970-01-01 UTC. */
  readonly deadline: number;
}

type EtcdWork<T> = (client: Etcd3, options: CallDeadline) => Promise<T>;

/** What the library would do by itself after a failure (retry a transaction, or refuse calls for five seconds): nothing. */
const NO_POLICY = {
  execute: async <T>(work: (context: { signal: AbortSignal }) => PromiseLike<T> | T): Promise<T> =>
    await work({ signal: new AbortController().signal }),
};

/**
 * Calls to etcd. Every call ends within its time: it is tried on the endpoint that answered last, then on the next ones, each
 * on a new connection after a failure. So a call may be carried out more than once, or after it was given up: whoever writes
 * does it in transactions that make this harmless.
 */
export class EtcdConnection {
  readonly callTimeoutMs: number;
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** Those under way. */
  readonly #attempts = new Set<AbortController>();
  #current = 0;
  #reachable = false;
  #problem: string | null = null;

  constructor(access: EtcdAccess, clock: Clock) {
    if (access.endpoints.length === 0) {
      throw new TidemarkError('TM-CONFIG-001', 'coordination.endpoints: none is named');
    }
    this.callTimeoutMs = access.callTimeoutMs;
    this.#endpoints = access.endpoints.map((url) => new Endpoint(url, access, clock));
    this.#clock = clock;
  }

  /** Why the last call that failed did; null before the first. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Whether the last call that ended was answered. */
  get reachable(): boolean {
    return this.#reachable;
  }

  /**
   * @throws TidemarkError TM-LEAD-003 if no endpoint answers in time, or if access is refused; EtcdLeaseInvalidError as it is
   */
  async call<T>(work: EtcdWork<T>, timeoutMs = this.callTimeoutMs): Promise<T> {
    const giveUpAtMs = this.#clock.monotonicMs() + timeoutMs;
    const attemptMs = timeoutMs / Math.max(2, this.#endpoints.length);
    let failure: unknown = new Error('the connection is closed');
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const leftMs = giveUpAtMs - this.#clock.monotonicMs();
      if (leftMs <= 0) {
        break;
      }
      const index = this.#current;
      const endpoint = this.#endpoints[index]!;
      const client = endpoint.client();
      try {
        const result = await this.#attempt(client, work, Math.min(leftMs, attemptMs));
        this.#reachable = true;
        return result;
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) {
          this.#reachable = true;
          throw error;
        }
        failure = error;
        this.#problem = `${endpoint.url}: ${messageOf(error)}`;
        if (error instanceof EtcdAuthenticationFailedError || error instanceof EtcdPermissionDeniedError) {
          this.#reachable = false;
          throw new TidemarkError('TM-LEAD-003', `etcd at ${endpoint.url} refuses access: ${error.message}`, {
            hint: 'Check coordination.user and password_file, and the role of that user.',
            cause: error,
          });
        }
        endpoint.reset(client);
        if (this.#current === index) {
          this.#current = (index + 1) % this.#endpoints.length;
        }
      }
      if (attempt % this.#endpoints.length === 0) {
        await this.#pause(ROUND_PAUSE_MS);
      }
    }
    this.#reachable = false;
    const names = this.#endpoints.map(({ url }) => url).join(', ');
    throw new TidemarkError('TM-LEAD-003', `etcd does not answer at ${names}: ${messageOf(failure)}`, {
      cause: failure,
    });
  }

  /**
   * The client that calls go to now, for a stream that lasts; `ended` is aborted when a call on it has failed, and when this is
   * closed.
   */
  current(): { readonly client: Etcd3; readonly ended: AbortSignal } {
    const endpoint = this.#endpoints[this.#current]!;
    return { client: endpoint.client(), ended: endpoint.ended };
  }

  close(): void {
    this.#closing.abort(new TidemarkError('TM-LEAD-003', 'the coordinator stops'));
    this.#reachable = false;
    for (const attempt of this.#attempts) {
      attempt.abort();
    }
    for (const endpoint of this.#endpoints) {
      endpoint.reset();
    }
  }

  async #attempt<T>(client: Etcd3, work: EtcdWork<T>, timeoutMs: number): Promise<T> {
    const ending = new AbortController();
    this.#attempts.add(ending);
    // The library gives its own steps before the call, such as fetching a token, no deadline.
    const givenUp = this.#clock.sleep(timeoutMs, ending.signal).then(
      () => Promise.reject(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
      () => Promise.reject(new Error('the connection is closed')),
    );
    try {
      const options = { deadline: this.#clock.nowMs() + timeoutMs };
      return await Promise.race([work(client, options), givenUp]);
    } finally {
      this.#attempts.delete(ending);
      ending.abort();
    }
  }

  async #pause(durationMs: number): Promise<void> {
    await this.#clock.sleep(durationMs, this.#closing.signal).catch(() => undefined);
  }
}

/** One member and the client that is connected to it. A client that failed is not used again: its connection may be dead. */
class Endpoint {
  readonly url: string;
  readonly #options: IOptions;
  #client: Etcd3 | null = null;
  #ended = new AbortController();

  constructor(url: string, access: EtcdAccess, clock: Clock) {
    this.url = url;
    const authCallOptions = () => ({ deadline: clock.nowMs() + access.callTimeoutMs });
    this.#options = {
      hosts: [url],
      faultHandling: { host: () => NO_POLICY as never, global: NO_POLICY as never },
      grpcOptions: {
        'grpc.max_receive_message_length': RECEIVE_BYTES_MAX,
        'grpc.use_local_subchannel_pool': 1,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        'grpc.enable_http_proxy': 0,
        'grpc.service_config_disable_resolution': 1,
        'grpc.enable_retries': 0,
        // etcd cuts off who pings more often than every five seconds.
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': 3_000,
      },
      ...(access.tls === undefined
        ? {}
        : {
            credentials: {
              rootCertificate: access.tls.ca,
              ...(access.tls.cert === undefined ? {} : { certChain: access.tls.cert }),
              ...(access.tls.key === undefined ? {} : { privateKey: access.tls.key }),
            },
          }),
      ...(access.auth === undefined ? {} : { auth: { ...access.auth, callOptions: authCallOptions } }),
    };
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  client(): Etcd3 {
    this.#client ??= new Etcd3(this.#options);
    return this.#client;
  }

  /** @param failed the client that failed; another one that was made since then stays. Left out: any */
  reset(failed?: Etcd3): void {
    if (this.#client !== null && (failed === undefined || failed === this.#client)) {
      this.#client.close();
      this.#client = null;
      this.#ended.abort();
      this.#ended = new AbortController();
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
