import { lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { TransactionEvent, TransactionEventKind } from '../../shared/wal/transaction-event.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What a record of the history does for its distributed transaction. */
type Part = 'prepare' | 'commit' | 'rollback' | 'decision' | 'other';

/** One record on one node, at one moment of real time. */
export interface HistoryRecord {
  readonly event: TransactionEvent;
  readonly node: string;
  readonly part: Part;
  /** The true transaction, which no record names; -1 for none. */
  readonly transaction: number;
}

/** Two readings of every node's position with an instant between them. */
export interface HistoryCollect {
  /** The records before this one were written when the second round was over. */
  readonly readAt: number;
  readonly first: ReadonlyMap<string, Lsn>;
  readonly second: ReadonlyMap<string, Lsn>;
}

export interface RandomHistory {
  readonly nodes: readonly string[];
  /** In real time, a millisecond apart. */
  readonly records: readonly HistoryRecord[];
  /** What is added to each node's clock to make it right; empty if the clocks are not known. */
  readonly corrections: ReadonlyMap<string, bigint>;
  readonly collect: HistoryCollect | null;
  /** The node that failed over, and from where on its records never happened. */
  readonly failover: { readonly node: string; readonly forkLsn: Lsn } | null;
}

const RECORD_BYTES = 100n;
const STEP_US = 1000n;

interface Plan {
  readonly gids: readonly { readonly node: number; readonly gid: string }[];
  /** Where it was begun, if rows decide. */
  readonly origin: number | null;
  readonly fate: 'commit' | 'abort' | 'abandon' | 'lose-decision';
}

interface Use {
  plan: Plan;
  readonly transaction: number;
  readonly xid: number;
  rows: number;
  readonly prepared: number[];
  decided: boolean;
  readonly finished: Set<number>;
  readonly startedAt: number;
}

/**
 * Histories as clients make them, record after record: a client writes the rows that decide (if its kind has some), prepares its
 * branches, several on a node at times, commits the rows, finishes the branches in any order, or dies at any step. Names are used again:
 * where clocks are known, as soon as a transaction is finished everywhere, else only behind a collect.
 */
export function randomHistory(random: SeededRandom, steps: number): RandomHistory {
  const nodes = Array.from({ length: 2 + random.below(4) }, (_, index) => `n${index}`);
  const skewsUs = new Map(nodes.map((node) => [node, BigInt(random.below(10_000_001) - 5_000_000)]));
  const clocksKnown = random.next() < 0.6;
  const collectAt = random.next() < 0.5 ? Math.floor(steps / 2) + random.below(3) : null;
  const spread = random.below(3);
  const writer = new Writer(nodes, skewsUs);
  const plans = Array.from({ length: 1 + random.below(4) }, (_, name) => randomPlan(random, nodes.length, name));
  const running: Use[] = [];
  const freeAt = new Map<Plan, number>(plans.map((plan) => [plan, 0]));
  let transactions = 0;
  while (writer.records.length < steps) {
    const start = plans.find((plan) => {
      const free = freeAt.get(plan);
      if (free === undefined || random.next() > 0.5) return false;
      const now = writer.records.length;
      const isBehindCollect = collectAt !== null && free <= collectAt - spread && now >= collectAt + spread;
      return free === 0 || clocksKnown || isBehindCollect;
    });
    if (start !== undefined) {
      freeAt.delete(start);
      // Each use has a fate of its own.
      const plan = { ...start, fate: randomFate(random, start.origin !== null) };
      const transaction = transactions++;
      const startedAt = writer.records.length;
      running.push({
        plan,
        transaction,
        xid: 1000 + transaction,
        rows: 0,
        prepared: [],
        decided: false,
        finished: new Set(),
        startedAt,
      });
      plans.splice(plans.indexOf(start), 1, plan);
    }
    const use = running.length === 0 || random.next() < 0.15 ? undefined : random.pick(running);
    if (use === undefined) {
      writer.write(random.pick(nodes), 'commit', 'other', -1, 7);
    } else if (step(use, running, writer, nodes, random)) {
      running.splice(running.indexOf(use), 1);
      freeAt.set(use.plan, writer.records.length);
    }
  }
  const at = (index: number) => writer.positionsAt(index);
  return {
    nodes,
    records: writer.records,
    corrections: clocksKnown ? new Map([...skewsUs].map(([node, skew]) => [node, -skew])) : new Map(),
    collect:
      collectAt === null
        ? null
        : {
            readAt: collectAt + spread,
            first: new Map(nodes.map((node) => [node, at(collectAt - random.below(spread + 1)).get(node) as Lsn])),
            second: new Map(nodes.map((node) => [node, at(collectAt + random.below(spread + 1)).get(node) as Lsn])),
          },
    failover: random.next() < 0.2 ? randomFailover(random, writer, collectAt === null ? 0 : collectAt + spread) : null,
  };
}

/** Behind the collect: what it saw has happened. */
function randomFailover(random: SeededRandom, writer: Writer, after: number): RandomHistory['failover'] {
  const node = random.pick(writer.nodes);
  const index = after + random.below(Math.max(1, writer.records.length - after));
  return { node, forkLsn: writer.positionsAt(index).get(node) as Lsn };
}

function randomFate(random: SeededRandom, decided: boolean): Plan['fate'] {
  return random.pick(['commit', 'commit', 'commit', 'abort', 'abandon', decided ? 'lose-decision' : 'commit'] as const);
}

function randomPlan(random: SeededRandom, nodes: number, name: number): Plan {
  const fate = randomFate(random, false);
  if (random.next() < 0.5) {
    // One GID; on all nodes, since uses of it on different nodes only cannot be told apart.
    const gids = Array.from({ length: nodes }, (_, node) => ({ node, gid: `g${name}` }));
    return { gids: shuffled(gids, random), origin: null, fate };
  }
  const origin = random.below(nodes);
  const count = 1 + random.below(4);
  const gids = Array.from({ length: count }, (_, branch) => ({
    node: random.below(nodes),
    gid: `citus_${origin}_${name}_1_${branch}`,
  }));
  return { gids, origin, fate };
}

/** The next record of a use. Returns whether it is finished everywhere. */
function step(
  use: Use,
  running: readonly Use[],
  writer: Writer,
  nodes: readonly string[],
  random: SeededRandom,
): boolean {
  const { plan, transaction, xid, prepared, finished } = use;
  const { origin, gids, fate } = plan;
  const originNode = origin === null ? undefined : nodes[origin];
  const nodeOf = (branch: number) => nodes[gids[branch]?.node ?? 0] ?? '';
  const branchXid = (branch: number) => xid * 10 + branch;
  const left = prepared.filter((branch) => !finished.has(branch));
  const aborting = fate === 'abort' && prepared.length > 0 && (finished.size > 0 || random.next() < 0.3);
  if (prepared.length < gids.length && finished.size === 0 && !aborting) {
    const next = prepared.length;
    if (originNode !== undefined && use.rows <= next) {
      writer.write(originNode, 'decision-row', 'other', -1, xid, gids[use.rows++]?.gid);
    } else {
      writer.write(nodeOf(next), 'prepare', 'prepare', transaction, branchXid(next), gids[next]?.gid);
      prepared.push(next);
    }
    return false;
  }
  if (fate === 'abandon') return false;
  if (originNode !== undefined && !use.decided) {
    use.decided = true;
    if (fate === 'commit') writer.write(originNode, 'commit', 'decision', transaction, xid);
    else if (fate === 'abort') writer.write(originNode, 'abort', 'other', -1, xid);
    else {
      writer.write(originNode, 'restart', 'other', -1, 0);
      // Whatever else was running there will not commit.
      for (const other of running) {
        if (other.plan.origin === origin && !other.decided) {
          other.plan = { ...other.plan, fate: other.prepared.length === 0 ? 'abandon' : 'abort' };
          other.decided = true;
        }
      }
    }
    return false;
  }
  const branch = random.pick(left);
  const kind = fate === 'abort' ? 'rollback' : 'commit';
  writer.write(nodeOf(branch), `${kind}-prepared`, kind, transaction, branchXid(branch));
  finished.add(branch);
  return finished.size === prepared.length;
}

class Writer {
  readonly nodes: readonly string[];
  readonly records: HistoryRecord[] = [];
  readonly #skewsUs: ReadonlyMap<string, bigint>;
  readonly #positions: Map<string, Lsn>[];

  constructor(nodes: readonly string[], skewsUs: ReadonlyMap<string, bigint>) {
    this.nodes = nodes;
    this.#skewsUs = skewsUs;
    this.#positions = [new Map(nodes.map((node) => [node, lsn(1000n)]))];
  }

  write(node: string, kind: TransactionEventKind, part: Part, transaction: number, xid: number, gid?: string): void {
    const positions = new Map(this.#positions.at(-1));
    const start = positions.get(node) as Lsn;
    positions.set(node, lsn(start + RECORD_BYTES));
    this.#positions.push(positions);
    const timeUs = 10_000_000n + BigInt(this.records.length) * STEP_US + (this.#skewsUs.get(node) ?? 0n);
    const event = {
      kind,
      lsn: start,
      endLsn: lsn(start + RECORD_BYTES),
      previousLsn: lsn(start - RECORD_BYTES),
      xid,
      databaseOid: 5,
      ...(gid === undefined ? {} : { gid }),
      timeUs,
      subxids: [],
    };
    this.records.push({ event, node, part, transaction });
  }

  /** Of every node, before the record of this number. */
  positionsAt(index: number): ReadonlyMap<string, Lsn> {
    return this.#positions[Math.min(Math.max(index, 0), this.#positions.length - 1)] as ReadonlyMap<string, Lsn>;
  }
}

function shuffled<T>(list: readonly T[], random: SeededRandom): T[] {
  return list
    .map((value) => ({ value, order: random.next() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value);
}
