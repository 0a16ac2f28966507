import { setTimeout as delay } from 'node:timers/promises';
import { forbiddenOrderViolations, inspectBank, type BankReport } from '../support/bank/bank-check.ts';
import { BankLoad } from '../support/bank/bank-load.ts';
import { BankRecovery } from '../support/bank/bank-recovery.ts';
import { createBank, type BankLayout, type ShardAddress } from '../support/bank/bank-schema.ts';
import { SeededRandom } from '../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../support/cluster.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RestoredCluster, orderBoundMs } from '../support/restored-cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { BackrestCluster } from './backrest-cluster.ts';
import type { BenchReport, BenchSettings, Benchmark } from './benchmark.ts';
import { formatTable } from './table.ts';

const CLOCKS_AHEAD_MS = [0, 40, -40] as const;
const ACCOUNTS = 900;
const LOAD_MS = 40_000;
const RESTORES = 10;
/** Nothing is restored from the first and the last moments of the load. */
const MARGIN_MS = 2_000;
/** As pgBackRest's Debian package supports it. */
const MAJOR = 15;

export const consistencyBenchmark: Benchmark = {
  name: 'consistency',
  summary: 'three nodes ± 40 ms apart restored to the same time, beside pgBackRest for each node',
  programs: ['etcd', 'pgbackrest', 'libfaketime.so.1'],
  run: measureConsistency,
};

/** What restores by one tool came to. */
interface ConsistencyRow {
  readonly benchmark: 'consistency';
  readonly tool: string;
  readonly restores: number;
  /** Restores with a torn transfer. */
  readonly tornRestores: number;
  readonly tornTransfers: number;
  readonly tornTransfersMax: number;
  /** Restores in which the accounts' sum is not what it always is. */
  readonly wrongSums: number;
  /** Restores that hold a row without one that was committed before it, beyond what was promised. */
  readonly orderBroken: number;
  readonly seconds: number;
}

/** One load, backed up by both tools at once; then each restores to the same random moments of it. */
async function measureConsistency({ seed, say }: BenchSettings): Promise<BenchReport> {
  await using stack = new DisposalStack();
  const servers: PostgresServer[] = [];
  for (const [number, clockAheadMs] of CLOCKS_AHEAD_MS.entries()) {
    const settings = { archive_mode: 'on', archive_command: "'/bin/false'", archive_timeout: '5s' };
    const options = { major: MAJOR, name: `shard-${number}`, walSegmentSizeMb: 4, clockAheadMs, settings } as const;
    servers.push(stack.use(await PostgresServer.create(options)));
  }
  const layout: BankLayout = { accounts: ACCOUNTS, shards: servers.map(({ port }) => ({ host: '127.0.0.1', port })) };
  await createBank(layout);
  const backrest = stack.use(await BackrestCluster.create(servers));
  const cluster = stack.use(await TidemarkCluster.create({ shards: servers, snapshotInterval: '5s' }));
  say('base backups by both');
  await backrest.backUp();
  await cluster.cli.json(['backup', 'create'], 120_000);

  say(`a bank at work for ${LOAD_MS / 1000} s`);
  const load = stack.use(new BankLoad(layout, { seed, transfersPerSecond: 150, abandonProbability: 0.02 }));
  const beganAtMs = Date.now();
  await delay(LOAD_MS);
  const endedAtMs = Date.now();
  // what is written after the last moment shows that everything before it was read
  await delay(MARGIN_MS);
  await load.stop();
  await backrest.waitForArchive();
  await cluster.waitUntilAcknowledged();
  await cluster.cli.json(['snapshot', 'create']);

  const random = new SeededRandom(seed);
  const spanMs = endedAtMs - beganAtMs - MARGIN_MS;
  const momentsMs = Array.from({ length: RESTORES }, () => beganAtMs + MARGIN_MS + random.below(spanMs));
  const rows = [
    await restoreAll('tidemark restore --time', momentsMs, say, async (atMs) => await byTidemark(cluster, atMs)),
    await restoreAll('pgBackRest, each node', momentsMs, say, async (atMs) => await byBackrest(backrest, layout, atMs)),
  ];
  const [own] = rows;
  const failures =
    own !== undefined && own.tornRestores + own.wrongSums + own.orderBroken > 0
      ? ['a restore by Tidemark was not consistent']
      : [];
  return { text: format(rows), rows, failures };
}

interface Restored {
  readonly report: BankReport;
  /** Within which the tool may reorder transactions; 0 where it says nothing. */
  readonly boundMs: number;
}

async function byTidemark(cluster: TidemarkCluster, atMs: number): Promise<Restored> {
  await using restored = await RestoredCluster.fromCoordinators(cluster, { time: new Date(atMs).toISOString() });
  const { shards, report } = restored;
  return { report: await inspectBank({ accounts: ACCOUNTS, shards }), boundMs: orderBoundMs(report.snapshot) };
}

async function byBackrest(backrest: BackrestCluster, layout: BankLayout, atMs: number): Promise<Restored> {
  await using stack = new DisposalStack();
  const shards = await backrest.restore(atMs, stack);
  await finishInDoubt({ ...layout, shards });
  return { report: await inspectBank({ ...layout, shards }), boundMs: 0 };
}

/** As well as one can by hand: committed where any node shows the transfer as done, else rolled back. */
async function finishInDoubt(layout: BankLayout & { readonly shards: readonly ShardAddress[] }): Promise<void> {
  const recovery = new BankRecovery(layout, new Set(), -60_000);
  await waitFor('nothing is in doubt', async () => (await recovery.run()) === 0);
  await recovery.close();
}

async function restoreAll(
  tool: string,
  momentsMs: readonly number[],
  say: (line: string) => void,
  restore: (atMs: number) => Promise<Restored>,
): Promise<ConsistencyRow> {
  const startedAt = performance.now();
  const found: Restored[] = [];
  for (const atMs of momentsMs) {
    const restored = await restore(atMs);
    const { torn, balance, balanceExpected } = restored.report;
    say(
      `${tool} to ${new Date(atMs).toISOString()}: ${torn.length} torn, sum off by ${balance - balanceExpected}, ` +
        `${forbiddenOrderViolations(restored.report, restored.boundMs).length} out of order`,
    );
    found.push(restored);
  }
  const tornCounts = found.map(({ report }) => report.torn.length);
  return {
    benchmark: 'consistency',
    tool,
    restores: found.length,
    tornRestores: tornCounts.filter((count) => count > 0).length,
    tornTransfers: tornCounts.reduce((sum, count) => sum + count, 0),
    tornTransfersMax: Math.max(...tornCounts),
    wrongSums: found.filter(({ report }) => report.balance !== report.balanceExpected).length,
    orderBroken: found.filter(({ report, boundMs }) => forbiddenOrderViolations(report, boundMs).length > 0).length,
    seconds: (performance.now() - startedAt) / 1000 / found.length,
  };
}

function format(rows: readonly ConsistencyRow[]): string {
  return formatTable([
    ['tool', 'restores', 'torn', 'torn transfers', 'most in one', 'wrong sums', 'order broken', 's each'],
    ...rows.map((row) => [
      row.tool,
      String(row.restores),
      String(row.tornRestores),
      String(row.tornTransfers),
      String(row.tornTransfersMax),
      String(row.wrongSums),
      String(row.orderBroken),
      row.seconds.toFixed(1),
    ]),
  ]);
}
