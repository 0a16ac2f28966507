import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { untilAborted } from '../../shared/lifecycle/until-aborted.ts';
import type { CoordinatorInfo, Coordination, LeaderInfo, Leadership } from './coordination.ts';
import { EtcdConnection, type EtcdAccess } from './etcd-connection.ts';
import { decodeTerm, EtcdKeys, encodeCoordinator, encodeLeader, prefixEnd } from './etcd-keys.ts';
import { EtcdLeadership } from './etcd-leadership.ts';
import { EtcdLease } from './etcd-lease.ts';
import { EtcdViewReader, type EtcdView } from './etcd-view.ts';

const RETRY_PAUSE_MS = 250;
const POLL_MS_MAX = 1000;
const CLOSE_PATIENCE_MS = 1500;

interface EtcdCoordinationOptions {
  readonly self: CoordinatorInfo;
  readonly cluster: string;
  readonly access: EtcdAccess;
  /** Before the cluster in every key, such as `/tidemark/`. */
  readonly prefix: string;
  /** How long a leader that vanished holds up the next one; etcd rounds it up to whole seconds. */
  readonly leaseTtlMs: number;
  readonly clock: Clock;
}

/**
 * Coordination through etcd. Whoever creates the leader's key leads; the key hangs on a lease, so it goes when its owner does.
 *
 * Terms: a candidate reads the term that was given last and takes a higher one, also higher than etcd's revision and than every
 * term that this coordinator has met (`termMin`); the transaction that creates the leader's key writes it down, and fails if another
 * was given meanwhile. So terms increase within one history of etcd, and over an etcd that was emptied or went back to an old
 * snapshot as long as the candidate remembers; where it does not, an agent or a follower refuses its term, and the next campaign
 * starts above that.
 */
export class EtcdCoordination implements Coordination {
  readonly kind = 'etcd';
  readonly #self: CoordinatorInfo;
  readonly #keys: EtcdKeys;
  readonly #clock: Clock;
  readonly #leaseTtlMs: number;
  readonly #connection: EtcdConnection;
  readonly #view: EtcdViewReader;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #viewing: Promise<void> = Promise.resolve();
  #present: Promise<void> = Promise.resolve();
  #started = false;
  #campaigning = false;
  #leadership: { readonly won: EtcdLeadership; readonly atReading: number } | null = null;
  /** The key of the leadership that ended last here; it may stand for a moment longer. */
  #endedRevision: string | null = null;
  #leader: LeaderInfo | null = null;
  #coordinators: readonly CoordinatorInfo[] = [];

  constructor(options: EtcdCoordinationOptions) {
    this.#self = options.self;
    this.#keys = new EtcdKeys(options.prefix, options.cluster);
    this.#clock = options.clock;
    this.#leaseTtlMs = options.leaseTtlMs;
    this.#connection = new EtcdConnection(options.access, options.clock);
    this.#view = new EtcdViewReader({
      connection: this.#connection,
      keys: this.#keys,
      clock: options.clock,
      pollMs: Math.min(POLL_MS_MAX, options.leaseTtlMs / 4),
    });
    this.#view.onReading((view) => this.#apply(view));
  }

  async knownRepository(): Promise<string | null> {
    const key = Buffer.from(this.#keys.repository(this.#self.coordinatorId));
    const response = await this.#connection.call((client, options) => client.kv.range({ key }, options));
    return response.kvs[0]?.value.toString() ?? null;
  }

  start(repositoryId: string): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      const signal = this.#closing.signal;
      this.#viewing = this.#view.run(signal);
      this.#present = this.#keepPresence(repositoryId, signal);
    }
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#closing.abort(new TidemarkError('TM-LEAD-003', 'the coordinator stops'));
    // Each takes its key away if etcd answers soon; if not, the leases do.
    const keysGone = Promise.all([this.#leadership?.won.resign(), this.#present]);
    const late = new AbortController();
    await Promise.race([keysGone, this.#clock.sleep(CLOSE_PATIENCE_MS, late.signal)]).catch(() => undefined);
    late.abort();
    this.#connection.close();
    await Promise.all([keysGone, this.#viewing]);
  }

  async campaign(options: { readonly termMin: bigint; readonly signal: AbortSignal }): Promise<Leadership> {
    if (this.#campaigning || this.#leadership !== null) {
      throw new TidemarkError('TM-INTERNAL-001', 'a campaign began during another one or during a leadership');
    }
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    this.#campaigning = true;
    try {
      for (;;) {
        await this.#view.until((view) => view.leaderKey === null, signal);
        try {
          const leadership = await this.#tryToWin(options.termMin);
          if (leadership !== null) {
            if (signal.aborted) {
              await leadership.resign();
            }
            signal.throwIfAborted();
            return leadership;
          }
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof TidemarkError && error.retryable)) {
            throw error;
          }
          await this.#clock.sleep(RETRY_PAUSE_MS, signal);
        }
      }
    } finally {
      this.#campaigning = false;
    }
  }

  leader(): LeaderInfo | null {
    return this.#leader;
  }

  coordinators(): readonly CoordinatorInfo[] {
    return this.#coordinators;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async get(key: string): Promise<string | null> {
    const response = await this.#connection.call((client, options) =>
      client.kv.range({ key: Buffer.from(this.#keys.name(key)) }, options),
    );
    return response.kvs[0]?.value.toString() ?? null;
  }

  async getAll(prefix: string): Promise<ReadonlyMap<string, string>> {
    const from = this.#keys.name(prefix);
    const response = await this.#connection.call((client, options) =>
      client.kv.range({ key: Buffer.from(from), range_end: prefixEnd(from) }, options),
    );
    const cut = this.#keys.namesPrefix.length;
    return new Map(response.kvs.map(({ key, value }) => [key.toString().slice(cut), value.toString()]));
  }

  problem(): string | null {
    return this.#connection.problem;
  }

  reachable(): boolean {
    return this.#connection.reachable;
  }

  /** One attempt to create the leader's key; null if somebody else has it, or another term was given meanwhile. */
  async #tryToWin(termMin: bigint): Promise<Leadership | null> {
    const lease = await EtcdLease.grant(this.#connection, this.#clock, this.#leaseTtlMs);
    try {
      const leadership = await this.#createLeaderKey(lease, termMin);
      if (leadership !== null) {
        // The own deadline may have passed while etcd was answering: only what etcd says now counts.
        await leadership.verify();
        this.#begin(leadership);
        return leadership;
      }
      await lease.revoke();
      return null;
    } catch (error) {
      await lease.revoke();
      throw error;
    }
  }

  async #createLeaderKey(lease: EtcdLease, termMin: bigint): Promise<EtcdLeadership | null> {
    const leaderKey = Buffer.from(this.#keys.leader);
    const termKey = Buffer.from(this.#keys.term);
    const last = await this.#connection.call((client, options) => client.kv.range({ key: termKey }, options));
    const [lastTerm] = last.kvs;
    const given = lastTerm === undefined ? 0n : decodeTerm(this.#keys.term, lastTerm.value.toString());
    const term = max(given, termMin, BigInt(last.header.revision)) + 1n;
    const value = encodeLeader({ ...this.#self, term });
    const response = await this.#connection.call((client, options) =>
      client.kv.txn(
        {
          compare: [
            { key: leaderKey, target: 'Create', result: 'Equal', create_revision: '0' },
            { key: termKey, target: 'Mod', result: 'Equal', mod_revision: lastTerm?.mod_revision ?? '0' },
          ],
          success: [
            { request_put: { key: leaderKey, value: Buffer.from(value), lease: lease.id } },
            { request_put: { key: termKey, value: Buffer.from(term.toString()) } },
          ],
          failure: [{ request_range: { key: leaderKey } }],
        },
        options,
      ),
    );
    if (response.succeeded) {
      return this.#leadershipOf({ term, value, lease, createRevision: response.header.revision });
    }
    // A first attempt may have been carried out without an answer: then the key is there, under this very lease.
    const [existing] = response.responses[0]?.response_range.kvs ?? [];
    return existing?.lease === lease.id && existing.value.toString() === value
      ? this.#leadershipOf({ term, value, lease, createRevision: existing.create_revision })
      : null;
  }

  #leadershipOf(won: ConstructorParameters<typeof EtcdLeadership>[2]): EtcdLeadership {
    return new EtcdLeadership(this.#connection, this.#keys, won);
  }

  #begin(leadership: EtcdLeadership): void {
    this.#leadership = { won: leadership, atReading: this.#view.readings };
    this.#leader = { ...this.#self, term: leadership.term };
    const ended = () => {
      this.#leadership = null;
      this.#endedRevision = leadership.createRevision;
      this.#leader = null;
      this.#view.wake();
      this.#changed();
    };
    if (leadership.signal.aborted) {
      ended();
    } else {
      leadership.signal.addEventListener('abort', ended, { once: true });
      this.#changed();
    }
  }

  #apply(view: EtcdView): void {
    if (this.#leadership !== null) {
      const { won, atReading } = this.#leadership;
      // A reading that began before the election was won does not show it.
      if (view.reading <= atReading) {
        return;
      }
      if (view.leaderKey?.createRevision !== won.createRevision) {
        won.end(view.leaderKey === null ? 'its key is gone' : 'another leads');
      }
    }
    const ended = view.leaderKey?.createRevision === this.#endedRevision;
    const leader = ended ? null : (view.leaderKey?.leader ?? null);
    const changed = !sameLeader(leader, this.#leader) || !sameCoordinators(view.coordinators, this.#coordinators);
    this.#leader = leader;
    this.#coordinators = view.coordinators;
    if (changed) {
      this.#changed();
    }
  }

  /**
   * Keeps this coordinator's own key there, under a lease of its own: a new one whenever that was lost. What repository it has stays known
   * without one.
   */
  async #keepPresence(repositoryId: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let lease: EtcdLease | null = null;
      try {
        lease = await EtcdLease.grant(this.#connection, this.#clock, this.#leaseTtlMs);
        const presence = {
          key: Buffer.from(this.#keys.coordinator(this.#self.coordinatorId)),
          value: Buffer.from(encodeCoordinator(this.#self)),
          lease: lease.id,
        };
        const repository = {
          key: Buffer.from(this.#keys.repository(this.#self.coordinatorId)),
          value: Buffer.from(repositoryId),
        };
        const success = [{ request_put: presence }, { request_put: repository }];
        await this.#connection.call((client, options) => client.kv.txn({ success }, options));
        await untilAborted(signal, lease.gone);
      } catch {
        await this.#clock.sleep(RETRY_PAUSE_MS, signal).catch(() => undefined);
      } finally {
        await lease?.revoke();
      }
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

function max(...values: readonly bigint[]): bigint {
  return values.reduce((highest, value) => (value > highest ? value : highest), 0n);
}

function sameLeader(a: LeaderInfo | null, b: LeaderInfo | null): boolean {
  return a?.coordinatorId === b?.coordinatorId && a?.term === b?.term && a?.address === b?.address;
}

function sameCoordinators(a: readonly CoordinatorInfo[], b: readonly CoordinatorInfo[]): boolean {
  return (
    a.length === b.length &&
    a.every((info, index) => {
      const other = b[index];
      return (
        info.coordinatorId === other?.coordinatorId &&
        info.dataCenter === other.dataCenter &&
        info.address === other.address
      );
    })
  );
}
