import * as fc from 'fast-check';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { ScannedEvent } from '../../../../shared/cuts/time-scan.ts';
import type { ClockReading } from '../../../../shared/wal/clock-reading.ts';
import type { TransactionEvent, TransactionEventKind } from '../../../../shared/wal/transaction-event.ts';

/** Real time is the leader's; it begins here, in microseconds. */
export const START_US = 1_795_000_000_000_000;

/** One record, with what is true about it and nobody sees. */
export interface TimedEvent {
  readonly node: string;
  readonly kind: TransactionEventKind;
  readonly lsn: Lsn;
  readonly previousLsn: Lsn;
  readonly xid: number;
  /** The true transaction; -1 for a local one. */
  readonly transaction: number;
  /** In the record, by the node's clock. */
  readonly nodeTimeUs: number;
  /** The same moment, truly. */
  readonly recordedUs: number;
  /** When it came into the WAL, truly. Never before the moment in the record. */
  readonly insertedUs: number;
}

export interface TimedHistory {
  readonly nodes: readonly string[];
  readonly events: readonly TimedEvent[];
  readonly readings: ReadonlyMap<string, readonly ClockReading[]>;
  readonly endUs: number;
}

interface Shape {
  readonly nodes: readonly {
    readonly offsetUs: number;
    readonly driftPpm: number;
    readonly uncertaintyUs: number;
    readonly stepUs: number;
    readonly stepAt: number;
  }[];
  readonly transactions: readonly {
    readonly nodes: readonly number[];
    readonly fate: 'commit' | 'abort' | 'abandon';
  }[];
  readonly steps: readonly { readonly who: number; readonly gapUs: number; readonly delay: number }[];
  readonly readingErrors: readonly number[];
  readonly readingEveryUs: number;
}

/**
 * Clusters in real time: each node's clock is off, drifts and may be set once; the leader reads it now and then, with an error that it
 * bounds. One event after the other, so that each may have been caused by all before it.
 */
export function timedHistoryArbitrary(options: { readonly steps?: boolean } = {}): fc.Arbitrary<TimedHistory> {
  const shape = fc.integer({ min: 2, max: 4 }).chain((count) =>
    fc.record({
      nodes: fc.array(
        fc.record({
          offsetUs: fc.integer({ min: -5_000_000, max: 5_000_000 }),
          driftPpm: fc.integer({ min: -150, max: 150 }),
          uncertaintyUs: fc.constantFrom(50, 400, 3_000),
          stepUs: options.steps === true ? fc.integer({ min: -300_000, max: 300_000 }) : fc.constant(0),
          stepAt: fc.nat(100),
        }),
        { minLength: count, maxLength: count },
      ),
      transactions: fc.array(
        fc.record({
          nodes: fc.uniqueArray(fc.nat(count - 1), { minLength: 1, maxLength: count }),
          fate: fc.constantFrom('commit' as const, 'commit' as const, 'abort' as const, 'abandon' as const),
        }),
        { minLength: 1, maxLength: 8 },
      ),
      steps: fc.array(
        fc.record({
          who: fc.nat(1000),
          gapUs: fc.oneof(fc.integer({ min: 60, max: 1_500 }), fc.integer({ min: 60, max: 9_000 })),
          delay: fc.nat(800),
        }),
        { minLength: 12, maxLength: 60 },
      ),
      readingErrors: fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 20 }),
      readingEveryUs: fc.constantFrom(7_000, 20_000, 60_000),
    }),
  );
  return shape.map(simulate);
}

function simulate(shape: Shape): TimedHistory {
  const nodes = shape.nodes.map((_, index) => `n${index}`);
  const lengthUs = shape.steps.reduce((sum, { gapUs }) => sum + gapUs, 0);
  const endUs = START_US + lengthUs + 20_000;
  /** What a node's clock shows at a true moment. */
  const show = (index: number, atUs: number): number => {
    const clock = shape.nodes[index];
    if (clock === undefined) return atUs;
    const stepped = atUs >= START_US + (lengthUs * clock.stepAt) / 100 ? clock.stepUs : 0;
    return Math.round(atUs + clock.offsetUs + ((atUs - START_US) * clock.driftPpm) / 1e6 + stepped);
  };
  const events: TimedEvent[] = [];
  const lastLsn = new Map<string, bigint>();
  let nowUs = START_US;
  let xid = 700;
  const record = (
    index: number,
    kind: TransactionEventKind,
    transaction: number,
    delay: number,
    gapUs: number,
    id: number,
  ): void => {
    const node = nodes[index] ?? '';
    const previous = lastLsn.get(node) ?? 1000n;
    lastLsn.set(node, previous + 100n);
    // A PREPARE's time may lie before other records'; any other's is taken right before it is inserted.
    const recordedUs = nowUs - (kind === 'prepare' ? delay : Math.min(delay, gapUs - 1, 200));
    events.push({
      node,
      kind,
      lsn: lsn(previous + 100n),
      previousLsn: lsn(previous + 50n),
      xid: id,
      transaction,
      nodeTimeUs: show(index, recordedUs),
      recordedUs,
      insertedUs: nowUs,
    });
  };
  const clients = shape.transactions.map(() => ({ prepared: [] as { index: number; xid: number }[], finished: 0 }));
  for (const { who, gapUs, delay } of shape.steps) {
    nowUs += gapUs;
    const number = who % (clients.length + 2);
    const client = clients[number];
    const plan = shape.transactions[number];
    if (client === undefined || plan === undefined) {
      record(who % nodes.length, who % 7 === 0 ? 'abort' : 'commit', -1, delay, gapUs, ++xid);
    } else if (client.prepared.length < plan.nodes.length && client.finished === 0) {
      const index = plan.nodes[client.prepared.length] ?? 0;
      client.prepared.push({ index, xid: ++xid });
      record(index, 'prepare', number, delay, gapUs, xid);
    } else if (client.finished < client.prepared.length && plan.fate !== 'abandon') {
      const branch = client.prepared[client.finished++];
      const kind = plan.fate === 'commit' ? 'commit-prepared' : 'rollback-prepared';
      record(branch?.index ?? 0, kind, number, delay, gapUs, branch?.xid ?? 0);
    }
  }
  const readings = new Map(
    nodes.map((node, index) => {
      const made: ClockReading[] = [];
      const uncertaintyUs = shape.nodes[index]?.uncertaintyUs ?? 0;
      const own = events.filter((event) => event.node === node);
      // The last one after everything: a step behind the last reading is seen by nobody.
      const count = Math.ceil((endUs - START_US + 5_000) / shape.readingEveryUs);
      for (let number = 0; number <= count; number++) {
        const atUs = START_US - 5_000 + index * 900 + number * shape.readingEveryUs;
        const error = shape.readingErrors[made.length % shape.readingErrors.length] ?? 0;
        const before = own.findLast((event) => event.insertedUs < atUs);
        const nodeTimeUs = show(index, atUs);
        made.push({
          atLsn: lsn(before === undefined ? 1_050n : before.lsn + 40n),
          nodeTimeUs: BigInt(nodeTimeUs),
          offsetUs: BigInt(atUs - nodeTimeUs + Math.trunc((uncertaintyUs * error) / 100)),
          uncertaintyUs: BigInt(uncertaintyUs),
          coordinatorId: 'east',
          term: 1n,
        });
      }
      return [node, made] as const;
    }),
  );
  return { nodes, events, readings, endUs };
}

/** As a reader of the WAL sees it. */
export function scannedEvent(event: TimedEvent): ScannedEvent {
  const whole: TransactionEvent = {
    kind: event.kind,
    lsn: event.lsn,
    endLsn: lsn(event.lsn + 40n),
    previousLsn: event.previousLsn,
    xid: event.xid,
    databaseOid: 5,
    timeUs: BigInt(event.nodeTimeUs),
    subxids: [],
    ...(event.kind === 'prepare' ? { gid: `t${event.transaction}` } : {}),
  };
  return {
    kind: whole.kind,
    lsn: Number(whole.lsn),
    endLsn: Number(whole.endLsn),
    previousLsn: Number(whole.previousLsn),
    xid: whole.xid,
    timeUs: event.nodeTimeUs,
    seeded: false,
    whole: () => whole,
  };
}
