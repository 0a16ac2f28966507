import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Leadership } from './coordination.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdLease } from './etcd-lease.ts';

/** Of one name, that earlier and unanswered writes of it come in between; each time etcd has answered. */
const OWN_WRITES_MAX = 5;

interface Won {
  readonly term: bigint;
  /** Of the leader's key. */
  readonly createRevision: string;
  /** Of the leader's key. */
  readonly value: string;
  readonly lease: EtcdLease;
}

/**
 * A leadership won in etcd. Every write is a transaction that compares the leader's key with what the election made of it: its
 * create revision, which no other key ever has, and its value. So it is refused once another leads, however late it arrives.
 */
export class EtcdLeadership implements Leadership {
  readonly term: bigint;
  readonly createRevision: string;
  readonly #value: string;
  readonly #lease: EtcdLease;
  readonly #connection: EtcdConnection;
  readonly #keys: EtcdKeys;
  readonly #lost = new AbortController();
  /** The last write of each name that is under way. */
  readonly #writing = new Map<string, Promise<void>>();
  /** At least the revision of every write that this leadership knows to have happened. */
  #revision: bigint;

  constructor(connection: EtcdConnection, keys: EtcdKeys, won: Won) {
    this.#connection = connection;
    this.#keys = keys;
    this.term = won.term;
    this.createRevision = won.createRevision;
    this.#value = won.value;
    this.#lease = won.lease;
    this.#revision = BigInt(won.createRevision);
    won.lease.gone.addEventListener('abort', () => this.end('its lease ran out'), { once: true });
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  holdsNames(): boolean {
    return !this.#lost.signal.aborted && this.#lease.valid;
  }

  put(key: string, value: string): Promise<void> {
    const before = this.#writing.get(key) ?? Promise.resolve();
    const write = before.catch(() => undefined).then(() => this.#put(key, value));
    this.#writing.set(key, write);
    const forget = () => {
      if (this.#writing.get(key) === write) {
        this.#writing.delete(key);
      }
    };
    write.then(forget, forget);
    return write;
  }

  notifyHigherTerm(term: bigint): void {
    if (term > this.term) {
      this.end(`term ${term} has begun`);
    }
  }

  async resign(): Promise<void> {
    this.end('the leader resigned');
    await this.#lease.revoke();
  }

  /** Ends it; the lease goes too, so that the leader's key does not stand in the way of the next one. */
  end(reason: string): void {
    if (!this.#lost.signal.aborted) {
      this.#lost.abort(new TidemarkError('TM-LEAD-002', `the leadership of term ${this.term} ended: ${reason}`));
      void this.#lease.revoke();
    }
  }

  async #put(key: string, value: string): Promise<void> {
    for (let attempt = 1; attempt <= OWN_WRITES_MAX; attempt++) {
      this.#lost.signal.throwIfAborted();
      if (await this.#tryPut(key, value)) {
        return;
      }
    }
    throw new TidemarkError('TM-LEAD-003', `etcd's key ${this.#keys.name(key)} is written by somebody else`, {
      hint: 'Nobody but the leader may write below this prefix.',
    });
  }

  /**
   * A write that was given up may still be carried out. So each one also demands that the name was not written since the newest
   * revision known when it was sent: then a late one finds the newer value and does nothing.
   * @returns false if the name was written meanwhile, which an unanswered write of this leadership has done
   */
  async #tryPut(key: string, value: string): Promise<boolean> {
    const leader = Buffer.from(this.#keys.leader);
    const name = Buffer.from(this.#keys.name(key));
    const known = this.#revision;
    const response = await this.#connection.call((client, options) =>
      client.kv.txn(
        {
          compare: [
            ...this.#guard(),
            { key: name, target: 'Mod', result: 'Less', mod_revision: (known + 1n).toString() },
          ],
          success: [{ request_put: { key: name, value: Buffer.from(value) } }],
          failure: [{ request_range: { key: leader } }, { request_range: { key: name } }],
        },
        options,
      ),
    );
    if (response.succeeded) {
      this.#learn(response.header.revision);
      return true;
    }
    const [leaderKey] = response.responses[0]?.response_range.kvs ?? [];
    if (leaderKey?.create_revision !== this.createRevision || leaderKey.value.toString() !== this.#value) {
      this.end('another leads');
      this.#lost.signal.throwIfAborted();
    }
    this.#learn(response.header.revision);
    const [nameKey] = response.responses[1]?.response_range.kvs ?? [];
    return nameKey?.value.toString() === value;
  }

  #guard() {
    const key = Buffer.from(this.#keys.leader);
    return [
      { key, target: 'Create', result: 'Equal', create_revision: this.createRevision },
      { key, target: 'Value', result: 'Equal', value: Buffer.from(this.#value) },
    ] as const;
  }

  /** @throws TidemarkError TM-LEAD-002 or TM-LEAD-003 unless the leader's key is this leadership's own, now */
  async verify(): Promise<void> {
    const response = await this.#connection.call((client, options) =>
      client.kv.txn({ compare: [...this.#guard()] }, options),
    );
    if (!response.succeeded) {
      this.end('another leads');
      this.#lost.signal.throwIfAborted();
    }
  }

  #learn(revision: string): void {
    const seen = BigInt(revision);
    if (seen > this.#revision) {
      this.#revision = seen;
    }
  }
}
