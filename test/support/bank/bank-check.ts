import type { Client } from 'pg';
import type { Acknowledgement } from './bank-load.ts';
import { OPENING_BALANCE, connectToShard, shardOf, type BankLayout } from './bank-schema.ts';

/** What a bank looks like, counted. */
export interface BankReport {
  readonly balanceExpected: number;
  readonly balance: number;
  /** Distinct transfers that are there on at least one shard. */
  readonly transfers: number;
  /** Ids of transfers that are on some of their shards only. */
  readonly torn: readonly string[];
  /** Accounts whose balance does not follow from the transfers on their shard. */
  readonly wrongAccounts: readonly number[];
  /** Rows that are there without one that was written before them. */
  readonly orderViolations: readonly OrderViolation[];
  /** GIDs still prepared on any shard. */
  readonly prepared: readonly string[];
  readonly transferIds: ReadonlySet<string>;
}

export interface OrderViolation {
  readonly writer: number;
  readonly n: number;
  /** At least this time lay between the commit that is missing and the one that is there. */
  readonly gapMs: number;
}

interface ShardContent {
  readonly transfers: ReadonlyMap<string, { readonly from: number; readonly to: number }>;
  readonly balance: number;
  readonly wrongAccounts: readonly number[];
  /** By writer, then n, the gap in milliseconds. */
  readonly order: ReadonlyMap<number, ReadonlyMap<number, number>>;
  readonly prepared: readonly string[];
}

/** Reads a bank that nobody works on, whole. */
export async function inspectBank(layout: BankLayout): Promise<BankReport> {
  const contents = await Promise.all(
    layout.shards.map(async (shard) => {
      const client = await connectToShard(shard);
      try {
        return await readShard(client);
      } finally {
        await client.end();
      }
    }),
  );
  const transferIds = new Set(contents.flatMap((content) => [...content.transfers.keys()]));
  return {
    balanceExpected: layout.accounts * OPENING_BALANCE,
    balance: contents.reduce((sum, content) => sum + content.balance, 0),
    transfers: transferIds.size,
    torn: findTorn(layout, contents),
    wrongAccounts: contents.flatMap((content) => content.wrongAccounts),
    orderViolations: findOrderViolations(contents),
    prepared: contents.flatMap((content) => content.prepared),
    transferIds,
  };
}

async function readShard(client: Client): Promise<ShardContent> {
  const transfers = await client.query<{ id: string; from_account: number; to_account: number }>(
    'SELECT id, from_account, to_account FROM transfers',
  );
  const balance = await client.query<{ balance: string }>(
    'SELECT coalesce(sum(balance), 0)::text AS balance FROM accounts',
  );
  const wrong = await client.query<{ id: number }>(`
    SELECT a.id FROM accounts a
      LEFT JOIN (SELECT account, sum(amount) AS moved FROM (
          SELECT from_account AS account, -amount AS amount FROM transfers
          UNION ALL SELECT to_account, amount FROM transfers) every GROUP BY account) t ON t.account = a.id
     WHERE a.balance <> ${OPENING_BALANCE} + coalesce(t.moved, 0)`);
  const order = await client.query<{ writer: number; n: string; gap_ms: number }>(
    'SELECT writer, n, gap_ms FROM order_log',
  );
  const prepared = await client.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts');
  const numbers = new Map<number, Map<number, number>>();
  for (const { writer, n, gap_ms: gapMs } of order.rows) {
    const ofWriter = numbers.get(writer) ?? new Map<number, number>();
    numbers.set(writer, ofWriter.set(Number(n), gapMs));
  }
  return {
    transfers: new Map(transfers.rows.map((row) => [row.id, { from: row.from_account, to: row.to_account }])),
    balance: Number(balance.rows[0]?.balance),
    wrongAccounts: wrong.rows.map((row) => row.id),
    order: numbers,
    prepared: prepared.rows.map((row) => row.gid),
  };
}

function findTorn(layout: BankLayout, contents: readonly ShardContent[]): string[] {
  const torn = new Set<string>();
  for (const content of contents) {
    for (const [id, { from, to }] of content.transfers) {
      const shards = [shardOf(from, layout), shardOf(to, layout)];
      if (!shards.every((shard) => contents[shard]?.transfers.has(id))) torn.add(id);
    }
  }
  return [...torn];
}

function findOrderViolations(contents: readonly ShardContent[]): OrderViolation[] {
  const violations: OrderViolation[] = [];
  for (const writer of contents.keys()) {
    const first = contents[writer]?.order.get(writer) ?? new Map<number, number>();
    const second = contents[(writer + 1) % contents.length]?.order.get(writer) ?? new Map<number, number>();
    for (const [n, gapMs] of second) if (!first.has(n)) violations.push({ writer, n, gapMs });
    // on one shard there is no excuse
    for (const numbers of [first, second]) {
      for (let n = 1; n < numbers.size; n++) if (!numbers.has(n)) violations.push({ writer, n, gapMs: Infinity });
    }
  }
  return violations;
}

/** Those that a snapshot does not allow: none with `causal`, and with `bounded` only within the bound. */
export function forbiddenOrderViolations(report: BankReport, boundMs: number): readonly OrderViolation[] {
  return boundMs === 0 ? report.orderViolations : report.orderViolations.filter(({ gapMs }) => gapMs > boundMs);
}

/** Acknowledged transfers that are not there. */
export function findLost(report: BankReport, acknowledged: readonly Acknowledgement[]): Acknowledgement[] {
  return acknowledged.filter(({ transferId }) => !report.transferIds.has(transferId));
}

/**
 * Every way in which the bank is not whole, in words; empty if it is.
 * @param orderBoundMs within which transactions that share no two-phase commit may be reordered
 */
export function bankProblems(report: BankReport, orderBoundMs = 0): string[] {
  const some = (values: readonly unknown[]) => values.slice(0, 5).join(', ');
  const { torn, wrongAccounts, prepared } = report;
  const outOfOrder = forbiddenOrderViolations(report, orderBoundMs).map(({ writer, n }) => `${writer}:${n}`);
  return [
    ...(report.balance === report.balanceExpected
      ? []
      : [`the accounts hold ${report.balance}, not ${report.balanceExpected}`]),
    ...(torn.length === 0 ? [] : [`${torn.length} transfers are torn: ${some(torn)}`]),
    ...(wrongAccounts.length === 0
      ? []
      : [`${wrongAccounts.length} balances do not follow from the transfers: ${some(wrongAccounts)}`]),
    ...(outOfOrder.length === 0
      ? []
      : [`${outOfOrder.length} rows are there without what was written before them: ${some(outOfOrder)}`]),
    ...(prepared.length === 0 ? [] : [`${prepared.length} transactions are still prepared: ${some(prepared)}`]),
  ];
}

/**
 * What the loss of everything after a cut costs: the time from the first acknowledged transfer that is missing until the disaster.
 * 0 if none is missing.
 */
export function lostTimeMs(lost: readonly Acknowledgement[], disasterAtMs: number): number {
  return lost.length === 0 ? 0 : Math.max(0, disasterAtMs - Math.min(...lost.map(({ atMs }) => atMs)));
}
