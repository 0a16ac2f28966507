import * as fc from 'fast-check';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { Branch } from '../../../../shared/cuts/branch.ts';

/** One record on one node, at one moment of real time (its index in the history). */
export interface SimulatedEvent {
  readonly atUs: number;
  readonly node: string;
  readonly lsn: Lsn;
  readonly previousLsn: Lsn;
  readonly kind: 'local' | 'prepare' | 'commit' | 'rollback';
  /** The true transaction, which the engine does not see; -1 for a local one. */
  readonly transaction: number;
}

export interface SimulatedHistory {
  readonly nodes: readonly string[];
  readonly events: readonly SimulatedEvent[];
  readonly gids: readonly string[];
  /** Added to real time by each node's clock. */
  readonly skewsUs: ReadonlyMap<string, number>;
}

interface Shape {
  readonly nodes: number;
  readonly transactions: readonly {
    readonly nodes: readonly number[];
    readonly fate: 'commit' | 'abort' | 'abandon';
  }[];
  readonly schedule: readonly number[];
  readonly skewsUs: readonly number[];
}

/** Real time between two events. */
const STEP_US = 1000;

const shapeArbitrary = (options: {
  readonly skewMaxUs: number;
  readonly stepsMin: number;
  readonly steps: number;
  readonly nodesMax: number;
  readonly everyNode: boolean;
}) =>
  fc.integer({ min: 2, max: options.nodesMax }).chain((nodes) =>
    fc.record({
      nodes: fc.constant(nodes),
      transactions: fc.array(
        fc.record({
          nodes: fc.uniqueArray(fc.nat(nodes - 1), { minLength: options.everyNode ? nodes : 1, maxLength: nodes }),
          fate: fc.constantFrom('commit' as const, 'commit' as const, 'abort' as const, 'abandon' as const),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      schedule: fc.array(fc.nat(1000), { minLength: options.stepsMin, maxLength: options.steps }),
      skewsUs: fc.array(fc.integer({ min: -options.skewMaxUs, max: options.skewMaxUs }), {
        minLength: nodes,
        maxLength: nodes,
      }),
    }),
  );

/**
 * Histories as clients make them, event after event in real time: a client prepares on all nodes of its transaction, then
 * finishes on all of them, in the order that it likes, or dies at any step. `gidPool` > 0: GIDs are taken from a pool of
 * that size, each again only after its transaction was finished everywhere, and every transaction is on all nodes.
 */
export function historyArbitrary(
  options: {
    readonly skewMaxUs?: number;
    readonly stepsMin?: number;
    readonly steps?: number;
    readonly nodesMax?: number;
    readonly gidPool?: number;
  } = {},
): fc.Arbitrary<SimulatedHistory> {
  const { skewMaxUs = 5_000_000, stepsMin = 1, steps = 24, nodesMax = 5, gidPool = 0 } = options;
  return shapeArbitrary({ skewMaxUs, stepsMin, steps, nodesMax, everyNode: gidPool > 0 }).map((shape) =>
    simulate(shape, gidPool),
  );
}

function simulate(shape: Shape, gidPool: number): SimulatedHistory {
  const nodes = Array.from({ length: shape.nodes }, (_, index) => `n${index}`);
  const events: SimulatedEvent[] = [];
  const lastLsn = new Map<string, Lsn>();
  const clients = shape.transactions.map(() => ({ prepared: 0, finished: 0, gid: '', done: false }));
  const freeGids = Array.from({ length: gidPool }, (_, index) => `g${index}`);
  const record = (node: string, kind: SimulatedEvent['kind'], transaction: number) => {
    const previousLsn = lastLsn.get(node) ?? lsn(100n);
    // Two other records lie between two events, so that a target never is an event by chance.
    const at = lsn(previousLsn + 100n);
    lastLsn.set(node, lsn(at + 50n));
    events.push({ atUs: events.length * STEP_US, node, lsn: at, previousLsn: previousLsn, kind, transaction });
  };
  for (const choice of shape.schedule) {
    const who = choice % (clients.length + 1);
    const client = clients[who];
    const plan = shape.transactions[who];
    if (client === undefined || plan === undefined) {
      record(nodes[choice % nodes.length] ?? 'n0', 'local', -1);
      continue;
    }
    if (client.gid === '') {
      const gid = gidPool === 0 ? `g${who}` : freeGids.shift();
      if (gid === undefined) {
        continue;
      }
      client.gid = gid;
    }
    const order = choice % 2 === 0 ? plan.nodes : [...plan.nodes].reverse();
    if (client.prepared < plan.nodes.length && client.finished === 0) {
      if (plan.fate === 'abort' && client.prepared > 0 && choice % 3 === 0) {
        record(nodes[plan.nodes[0] ?? 0] ?? '', 'rollback', who);
        client.finished = 1;
      } else {
        record(nodes[plan.nodes[client.prepared] ?? 0] ?? '', 'prepare', who);
        client.prepared += 1;
      }
    } else if (client.finished < client.prepared && plan.fate !== 'abandon') {
      const left = order.filter((index) => isOpen(events, nodes[index] ?? '', who));
      record(nodes[left[0] ?? 0] ?? '', plan.fate === 'commit' ? 'commit' : 'rollback', who);
      client.finished += 1;
    }
    if (!client.done && client.finished > 0 && client.finished === client.prepared) {
      client.done = true;
      freeGids.push(client.gid);
    }
  }
  return {
    nodes,
    events,
    gids: clients.map((client) => client.gid),
    skewsUs: new Map(nodes.map((node, index) => [node, shape.skewsUs[index] ?? 0])),
  };
}

function isOpen(events: readonly SimulatedEvent[], node: string, transaction: number): boolean {
  const own = events.filter((event) => event.node === node && event.transaction === transaction);
  return own.length === 1;
}

/** What a reader of the whole WAL would know. */
export function branchesOf(history: SimulatedHistory): (Branch & { readonly transaction: number })[] {
  return history.events
    .filter((event) => event.kind === 'prepare')
    .map((prepare) => {
      const clock = (atUs: number) => BigInt(1_000_000_000 + atUs + (history.skewsUs.get(prepare.node) ?? 0));
      const end = history.events.find(
        (event) => event.node === prepare.node && event.transaction === prepare.transaction && event.kind !== 'prepare',
      );
      return {
        node: prepare.node,
        timeline: 1,
        xid: 1000 + prepare.transaction,
        gid: history.gids[prepare.transaction] ?? '',
        databaseOid: 5,
        prepareLsn: prepare.lsn,
        preparedAtUs: clock(prepare.atUs),
        seeded: false,
        preparedAfterBarrier: 0,
        endedBeforeBarrier: Infinity,
        end:
          end === undefined
            ? null
            : {
                kind: end.kind === 'commit' ? ('commit' as const) : ('rollback' as const),
                lsn: end.lsn,
                previousLsn: end.previousLsn,
                timeUs: clock(end.atUs),
              },
        lost: false,
        decidedCommit: false,
        transaction: prepare.transaction,
      };
    });
}

/** Each node's position (exclusive) after all events before `atUs`. */
export function instant(history: SimulatedHistory, atUs: number): Map<string, Lsn> {
  return new Map(history.nodes.map((node) => [node, endOf(history, node, atUs)]));
}

/** The node's position at its own moment. */
export function endOf(history: SimulatedHistory, node: string, atUs: number): Lsn {
  const last = history.events.findLast((event) => event.node === node && event.atUs < atUs);
  return last === undefined ? lsn(150n) : lsn(last.lsn + 50n);
}

/** By the truth and by definition, slowly: whether every transaction with a commit in the cut has all its prepares in it. */
export function isClosed(history: SimulatedHistory, limits: ReadonlyMap<string, Lsn>): boolean {
  const inside = (event: SimulatedEvent) => event.lsn < (limits.get(event.node) ?? 0n);
  return history.events
    .filter((event) => event.kind === 'commit' && inside(event))
    .every((commit) =>
      history.events
        .filter((event) => event.kind === 'prepare' && event.transaction === commit.transaction)
        .every((prepare) => inside(prepare)),
    );
}

/** Every cut at or below the wish that differs in what it holds: each node's events one after the other. */
export function* allCuts(history: SimulatedHistory, wish: ReadonlyMap<string, Lsn>): Generator<Map<string, Lsn>> {
  const choices = history.nodes.map((node) => {
    const limit = wish.get(node) as Lsn;
    const starts = history.events.filter((event) => event.node === node && event.lsn < limit).map((event) => event.lsn);
    return [...starts, limit];
  });
  const pick = history.nodes.map(() => 0);
  for (;;) {
    yield new Map(history.nodes.map((node, index) => [node, choices[index]?.[pick[index] ?? 0] as Lsn]));
    let place = 0;
    while (place < pick.length && pick[place] === (choices[place]?.length ?? 1) - 1) {
      pick[place] = 0;
      place += 1;
    }
    if (place === pick.length) {
      return;
    }
    pick[place] = (pick[place] ?? 0) + 1;
  }
}
