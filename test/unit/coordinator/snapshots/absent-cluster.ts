import type { PositionSampler } from '../../../../coordinator/snapshots/double-collect.ts';
import type { SnapshotServiceOptions } from '../../../../coordinator/snapshots/snapshot-service.ts';
import { citusMatcher, sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import type { TransactionEventKind } from '../../../../shared/wal/transaction-event.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';
import { FakeCluster } from './fake-cluster.ts';

type Part = 'prepare' | 'commit' | 'rollback' | 'decision';

/** What one record did for its transaction, which no record names. */
interface TrueRecord {
  readonly node: string;
  readonly at: Lsn;
  readonly part: Part;
  readonly xid: number;
  readonly transaction: number;
}

interface Client {
  readonly transaction: number;
  readonly xid: number;
  readonly gids: readonly { readonly node: string; readonly gid: string }[];
  readonly origin: string | null;
  readonly fate: 'commit' | 'rollback';
  prepared: number;
  rows: number;
  decided: boolean;
  readonly left: number[];
}

type Vector = ReadonlyMap<string, Lsn>;

/**
 * Clients that write distributed transactions, and nodes that go away and come back: `down`, and nothing of them arrives, or `deaf`, and
 * their WAL arrives, but they do not answer. What is true of the history is kept beside it.
 */
export class AbsentCluster extends FakeCluster {
  readonly #names: readonly string[];
  readonly #random: SeededRandom;
  readonly #records: TrueRecord[] = [];
  readonly #ends = new Map<string, Lsn[]>();
  readonly #clients: Client[] = [];
  readonly #freeGids: string[];
  /** Whether some transactions are decided by rows. */
  withRows = true;
  #transactions = 0;
  #first = new Map<string, Lsn>();
  #second = new Map<string, Lsn>();

  /** @param gids used again and again, each on all nodes */
  constructor(nodes: number, random = new SeededRandom(1), gids: readonly string[] = []) {
    const names = Array.from({ length: nodes }, (_, index) => `n${index}`);
    super(...names);
    this.#names = names;
    this.#random = random;
    this.#freeGids = [...gids];
    // Clocks are right to less than this.
    this.stepMs = 1000;
  }

  absentOptions(): Partial<SnapshotServiceOptions> {
    const { sampler } = this.options();
    return {
      matchers: [citusMatcher, sameGidMatcher],
      sampler: (leadership) => this.#recording(sampler(leadership)),
    };
  }

  override write(name: string, kind: TransactionEventKind | 'other', xid = 0, gid = ''): Lsn {
    const at = super.write(name, kind, xid, gid);
    if (['commit', 'abort', 'commit-prepared', 'rollback-prepared'].includes(kind)) {
      this.#ends.set(name, [...(this.#ends.get(name) ?? []), at]);
    }
    return at;
  }

  leave(name: string, how: 'down' | 'deaf'): void {
    this.node(name).silent = true;
    this.node(name).lazy = how === 'down';
  }

  comeBack(name: string): void {
    this.node(name).silent = false;
    this.node(name).lazy = false;
    this.send(name);
  }

  changeAbsence(): void {
    const name = this.#random.pick(this.#names);
    if (this.node(name).silent && this.#random.next() < 0.5) this.comeBack(name);
    else this.leave(name, this.#random.pick(['down', 'deaf'] as const));
    if (!this.node(name).lazy) this.send(name);
  }

  isAnswering(): boolean {
    return this.#names.some((name) => !this.node(name).silent);
  }

  /** Writes records of transactions that run side by side. */
  goOn(steps: number): void {
    for (let step = 0; step < steps; step++) {
      if (this.#clients.length < 4 && this.#random.next() < 0.4) this.#begin();
      const client = this.#clients.length === 0 ? undefined : this.#random.pick(this.#clients);
      if (client === undefined || this.#random.next() < 0.1) this.write(this.#random.pick(this.#names), 'commit', 7);
      else this.#step(client);
    }
  }

  /** While the next snapshot is taken, transactions go on between the readings. */
  beginCollect(): void {
    this.#first = new Map();
    this.#second = new Map();
    this.beforeSample = () => {
      if (this.#random.next() < 0.3) this.goOn(this.#random.below(16));
    };
  }

  wishOf({ nodes }: Snapshot): Map<string, Lsn> {
    const isQuiet = [...this.#second].every(([node, second]) =>
      (this.#ends.get(node) ?? []).every((end) => end < (this.#first.get(node) ?? 0n) || end >= second),
    );
    const sampled = isQuiet ? this.#second : this.#first;
    return new Map(nodes.map(({ node, targetLsn }) => [node, sampled.get(node) ?? lsn(targetLsn + 1n)]));
  }

  wasShrunk(snapshot: Snapshot): boolean {
    const wish = this.wishOf(snapshot);
    return snapshot.nodes.some(
      ({ node, targetLsn }) =>
        this.held(node, lsn(targetLsn + 1n)).length < this.held(node, wish.get(node) as Lsn).length,
    );
  }

  /** What is in a cut of a node, of distributed transactions. */
  held(node: string, limit: Lsn): readonly TrueRecord[] {
    return this.#records.filter((record) => record.node === node && record.at < limit);
  }

  /** By removal of what lacks something, until nothing does. Nobody knows what a silent node wrote behind its place. */
  greatestClosed(wish: Vector): Map<string, Lsn> {
    const cut = new Map(wish);
    const isIn = ({ node, at }: TrueRecord) => at < (cut.get(node) as Lsn);
    const isKnown = ({ node, at }: TrueRecord) => this.#second.has(node) || at < (wish.get(node) as Lsn);
    for (let isClosed = false; !isClosed;) {
      isClosed = true;
      for (const record of this.#records) {
        if ((record.part !== 'commit' && record.part !== 'decision') || !isIn(record)) continue;
        const lacks = this.#records.some(
          (other) =>
            other.transaction === record.transaction &&
            (other.part === 'prepare' || (other.part === 'decision' && record.part === 'commit')) &&
            isKnown(other) &&
            !isIn(other),
        );
        if (!lacks) continue;
        cut.set(record.node, record.at);
        isClosed = false;
      }
    }
    return cut;
  }

  /** What is prepared and unfinished at a cut, and how it ends. */
  inDoubt(cut: Vector): string[] {
    const held = [...cut].flatMap(([node, limit]) => this.held(node, limit));
    const committed = new Set(
      held.filter(({ part }) => part === 'commit' || part === 'decision').map(({ transaction }) => transaction),
    );
    return held
      .filter(({ part }) => part === 'prepare')
      .filter(
        ({ node, xid }) =>
          !held.some(
            (end) => end.node === node && end.xid === xid && (end.part === 'commit' || end.part === 'rollback'),
          ),
      )
      .map(({ node, at, transaction }) => `${node} ${at} ${committed.has(transaction) ? 'commit' : 'rollback'}`)
      .sort();
  }

  #recording(sampler: PositionSampler): PositionSampler {
    return {
      sample: async (name, options) => {
        const sample = await sampler.sample(name, options);
        if (!options.flush) {
          const round = this.#first.has(name) ? this.#second : this.#first;
          round.set(name, sample.insertLsn);
        }
        return { ...sample, nodeTimeUs: BigInt(Date.now()) * 1000n };
      },
    };
  }

  #begin(): void {
    const random = this.#random;
    const transaction = this.#transactions++;
    const xid = 1000 + 10 * transaction;
    const own = this.#names.filter(() => random.next() < 0.7);
    const reused = random.next() < 0.3 ? this.#freeGids.shift() : undefined;
    const isCitus = this.withRows && reused === undefined && random.next() < 0.4;
    const origin = isCitus ? random.below(this.#names.length) : null;
    const nodes = reused !== undefined ? this.#names : own.length === 0 ? [random.pick(this.#names)] : own;
    this.#clients.push({
      transaction,
      xid,
      gids: nodes.map((node, index) => ({
        node,
        gid: reused ?? (origin === null ? `t${transaction}` : `citus_${origin}_${transaction}_1_${index}`),
      })),
      origin: origin === null ? null : (this.#names[origin] ?? null),
      fate: random.next() < 0.7 ? 'commit' : 'rollback',
      prepared: 0,
      rows: 0,
      decided: false,
      left: nodes.map((_, index) => index),
    });
  }

  #step(client: Client): void {
    const { gids, origin, fate, xid, transaction, left } = client;
    const branchXid = (index: number) => xid + 1 + index;
    const next = gids[client.prepared];
    if (next !== undefined) {
      if (origin !== null && client.rows <= client.prepared) {
        this.write(origin, 'decision-row', xid, next.gid);
        client.rows++;
      } else {
        const at = this.write(next.node, 'prepare', branchXid(client.prepared), next.gid);
        this.#records.push({ node: next.node, at, part: 'prepare', xid: branchXid(client.prepared), transaction });
        client.prepared++;
      }
      return;
    }
    if (origin !== null && !client.decided) {
      client.decided = true;
      const at = this.write(origin, fate === 'commit' ? 'commit' : 'abort', xid);
      if (fate === 'commit') this.#records.push({ node: origin, at, part: 'decision', xid, transaction });
      return;
    }
    // Some stay in doubt for long.
    if (left.length === 1 && this.#random.next() < 0.8) return;
    const [index = 0] = left.splice(this.#random.below(left.length), 1);
    const node = gids[index]?.node ?? '';
    const at = this.write(node, `${fate}-prepared`, branchXid(index));
    this.#records.push({ node, at, part: fate, xid: branchXid(index), transaction });
    if (left.length > 0) return;
    this.#clients.splice(this.#clients.indexOf(client), 1);
    const gid = gids[0]?.gid ?? '';
    if (gid.startsWith('g')) this.#freeGids.push(gid);
  }
}
