import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { untilAborted } from '../../shared/lifecycle/until-aborted.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { checkName } from '../../shared/repository/layout.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';
import type { LeaderDuty } from '../election/leader-duty.ts';

const NODES_PREFIX = 'nodes/';
const IDENTITY_SUFFIX = '/system-identifier';
const RETRY_MS = 500;

/** An instance as its agent described it last. */
export interface MemberInstance {
  readonly instance: Instance;
  /** On the clock's monotonic scale. */
  readonly heardAtMs: number;
  /** Whether the agent was heard within the time that it may be silent. */
  readonly alive: boolean;
}

/** One shard and who serves it. */
export interface MemberNode {
  readonly node: string;
  /** In decimal; the node keeps it for ever. */
  readonly systemIdentifier: string;
  /** Those that registered since this coordinator leads; sorted by name. */
  readonly instances: readonly MemberInstance[];
}

interface MembershipOptions {
  readonly coordination: Coordination;
  readonly clock: Clock;
  /** An instance that was not heard for this long is not alive. */
  readonly silenceMaxMs: number;
  /** The nodes of the cluster; empty: whoever registers. */
  readonly expected: readonly string[];
}

/** An agent whose registration was not taken, and still is not. */
export interface RefusedInstance {
  readonly node: string;
  readonly instance: string;
  readonly reason: string;
}

const REFUSED_MAX = 100;

interface Refusal extends RefusedInstance {
  readonly heardAtMs: number;
}

interface Heard {
  readonly instance: Instance;
  readonly heardAtMs: number;
}

/**
 * The nodes of the cluster and their instances, as the leader knows them. A node's system identifier is a name: written once,
 * under the leadership's guard, and never changed; an instance of another PostgreSQL system is refused. What is known goes on
 * working while the coordination service is away.
 */
export class Membership implements LeaderDuty {
  readonly name = 'membership';
  readonly #coordination: Coordination;
  readonly #clock: Clock;
  readonly #silenceMaxMs: number;
  readonly #expected: readonly string[];
  readonly #refused = new Map<string, Refusal>();
  readonly #listeners = new Set<() => void>();
  readonly #identities = new Map<string, string>();
  readonly #heard = new Map<string, Map<string, Heard>>();
  #leadership: Leadership | null = null;
  /** New nodes one after the other, so that two instances cannot both be the first. */
  #lastClaim: Promise<unknown> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.#coordination = options.coordination;
    this.#clock = options.clock;
    this.#silenceMaxMs = options.silenceMaxMs;
    this.#expected = options.expected;
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    // What another leader wrote meanwhile counts, not what was known before.
    this.#identities.clear();
    this.#heard.clear();
    this.#refused.clear();
    this.#leadership = leadership;
    try {
      await this.#load(signal);
      await untilAborted(signal);
    } finally {
      this.#leadership = null;
      this.#changed();
    }
  }

  /**
   * Takes note of what an agent says about its instance.
   * @throws TidemarkError TM-LEAD-001 if this coordinator does not lead, TM-PG-003 if the node is another PostgreSQL system,
   *   TM-PG-006 if the cluster has no such node, TM-LEAD-002 and TM-LEAD-003 when a new node cannot be written
   */
  async register(instance: Instance): Promise<void> {
    checkName('node', instance.node);
    checkName('instance', instance.instance);
    const leadership = this.#leadership;
    if (leadership === null) {
      throw new TidemarkError('TM-LEAD-001', 'this coordinator does not lead');
    }
    leadership.notifyHigherTerm(instance.highestTerm);
    try {
      this.#checkExpected(instance);
      if (instance.systemIdentifier !== '') {
        await this.#checkIdentity(leadership, instance);
      }
    } catch (error) {
      this.#refuse(instance, error);
      throw error;
    }
    this.#refused.delete(refusalKey(instance));
    const instances = this.#heard.get(instance.node) ?? new Map<string, Heard>();
    const before = instances.get(instance.instance)?.instance;
    instances.set(instance.instance, { instance, heardAtMs: this.#clock.monotonicMs() });
    this.#heard.set(instance.node, instances);
    if (before === undefined || isNews(before, instance)) {
      this.#changed();
    }
  }

  /** Every node of the cluster that was ever registered, sorted by name, also while nobody serves it. */
  nodes(): readonly MemberNode[] {
    return [...this.#identities.entries()]
      .filter(([node]) => this.#isExpected(node))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([node, systemIdentifier]) => ({ node, systemIdentifier, instances: this.#instancesOf(node) }));
  }

  /** The nodes that the cluster should have and that never registered, sorted by name. */
  missing(): readonly string[] {
    return this.#expected.filter((node) => !this.#identities.has(node)).sort();
  }

  /** The agents that call and are not taken, for a reason that somebody has to see to. */
  refused(): readonly RefusedInstance[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#refused.values()].filter(({ heardAtMs }) => nowMs - heardAtMs <= this.#silenceMaxMs);
  }

  /**
   * The instance that writes the node's WAL: not in recovery, on the highest timeline, heard last. Null if none is known; one that
   * has fallen silent is still given, since its agent may be there when it is called.
   */
  primary(node: string): Instance | null {
    const writers = this.#instancesOf(node).filter(
      ({ instance }) => instance.systemIdentifier !== '' && !instance.inRecovery,
    );
    writers.sort(
      (a, b) =>
        Number(b.alive) - Number(a.alive) || b.instance.timeline - a.instance.timeline || b.heardAtMs - a.heardAtMs,
    );
    return writers[0]?.instance ?? null;
  }

  /** Calls back when a node or an instance is new, or an instance's role, timeline, address or problem changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #instancesOf(node: string): MemberInstance[] {
    const nowMs = this.#clock.monotonicMs();
    return [...(this.#heard.get(node)?.values() ?? [])]
      .map((heard) => ({ ...heard, alive: nowMs - heard.heardAtMs <= this.#silenceMaxMs }))
      .sort((a, b) => (a.instance.instance < b.instance.instance ? -1 : 1));
  }

  #isExpected(node: string): boolean {
    return this.#expected.length === 0 || this.#expected.includes(node);
  }

  #checkExpected({ node, instance }: Instance): void {
    if (!this.#isExpected(node)) {
      throw new TidemarkError('TM-PG-006', `${instance} belongs to node ${node}, which the cluster does not have`);
    }
  }

  #refuse(instance: Instance, error: unknown): void {
    if (!(error instanceof TidemarkError) || error.retryable) {
      return;
    }
    const key = refusalKey(instance);
    // The one that called last stays last, so that those that have fallen silent go first.
    this.#refused.delete(key);
    this.#refused.set(key, {
      node: instance.node,
      instance: instance.instance,
      reason: error.message,
      heardAtMs: this.#clock.monotonicMs(),
    });
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= REFUSED_MAX) break;
      this.#refused.delete(oldest);
    }
  }

  async #checkIdentity(leadership: Leadership, instance: Instance): Promise<void> {
    const known = this.#identities.get(instance.node) ?? (await this.#inTurn(() => this.#claim(leadership, instance)));
    if (known !== instance.systemIdentifier) {
      throw new TidemarkError(
        'TM-PG-003',
        `${instance.instance} stands beside PostgreSQL system ${instance.systemIdentifier}, but node ${instance.node} is ${known}`,
        { hint: 'Check which server the agent stands beside, and its "node".' },
      );
    }
  }

  /** The identifier that the node has: the one written before, else this instance's. */
  async #claim(leadership: Leadership, instance: Instance): Promise<string> {
    const { node, systemIdentifier } = instance;
    let known = this.#identities.get(node) ?? (await this.#coordination.get(identityKey(node)));
    if (known === null) {
      await leadership.put(identityKey(node), systemIdentifier);
      known = systemIdentifier;
    }
    if (this.#leadership === leadership) {
      this.#identities.set(node, known);
      this.#changed();
    }
    return known;
  }

  async #load(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for (const [key, identifier] of await this.#coordination.getAll(NODES_PREFIX)) {
          if (key.endsWith(IDENTITY_SUFFIX)) {
            this.#identities.set(key.slice(NODES_PREFIX.length, -IDENTITY_SUFFIX.length), identifier);
          }
        }
        this.#changed();
        return;
      } catch (error) {
        if (!(error instanceof TidemarkError && error.retryable)) {
          throw error;
        }
        await this.#clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastClaim.then(work);
    this.#lastClaim = turn.catch(() => undefined);
    return turn;
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

function identityKey(node: string): string {
  return `${NODES_PREFIX}${node}${IDENTITY_SUFFIX}`;
}

function refusalKey({ node, instance, advertisedAddress }: Instance): string {
  return `${node} ${instance} ${advertisedAddress}`;
}

function isNews(before: Instance, now: Instance): boolean {
  return (
    before.systemIdentifier !== now.systemIdentifier ||
    before.timeline !== now.timeline ||
    before.inRecovery !== now.inRecovery ||
    before.advertisedAddress !== now.advertisedAddress ||
    before.postgresReachable !== now.postgresReachable ||
    before.problem !== now.problem ||
    before.synchronous.problem !== now.synchronous.problem
  );
}
