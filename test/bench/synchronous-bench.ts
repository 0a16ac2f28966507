import { TidemarkCluster } from '../support/cluster.ts';
import { ChildProcess, runToEnd } from '../support/child-process.ts';
import { debianProgram } from '../support/debian-packages.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import type { BenchSettings, Benchmark } from './benchmark.ts';
import { ProcessMeter } from './process-meter.ts';
import { formatTable } from './table.ts';

const SCALE = 20;
/** Without the rows that all clients change: a commit that waits keeps its locks, and others would wait for these. */
const SCRIPT = '--builtin=simple-update';
const PAIRS = 5;
const SECONDS = 6;
const WARM_UP_SECONDS = 20;
const CLIENTS = [8, 32] as const;
/** Times faster than pg_receivewal. */
const AIM = 1;

type Clients = (typeof CLIENTS)[number];

/** Transactions per second with one synchronous standby. */
export interface SynchronousRow {
  readonly benchmark: 'synchronous';
  readonly tool: string;
  readonly clients: number;
  /** The median of all rounds. */
  readonly transactionsPerSecond: number;
  /** The median of each round's rate, divided by that of pg_receivewal in the same round. */
  readonly ratio: number;
  /** Of the tool's processes, for 1000 transactions. */
  readonly cpuMsPerTransaction: number;
}

interface Measured {
  readonly clients: Clients;
  readonly rate: number;
  readonly cpuSeconds: number;
}

/** A standby that can be had for a time. */
interface Standby {
  readonly tool: string;
  /** Starts, works while commits wait for it, and ends. */
  readonly run: (work: (pids: readonly number[]) => Promise<void>) => Promise<void>;
}

export const synchronousBenchmark: Benchmark = {
  name: 'synchronous',
  summary: 'pgbench whose commits wait for the standby, beside pg_receivewal --synchronous',
  programs: ['etcd', 'pg_receivewal', 'pgbench'],
  run: async (settings) => {
    const rows = await measure(settings);
    const lines = [['tool', 'clients', 'tps', 'ratio', 'CPU ms/transaction']];
    for (const row of rows) {
      lines.push([
        row.tool,
        String(row.clients),
        row.transactionsPerSecond.toFixed(0),
        row.ratio.toFixed(2),
        row.cpuMsPerTransaction.toFixed(3),
      ]);
    }
    const text = `${formatTable(lines)}\naim: a ratio of at least ${AIM.toFixed(1)}`;
    return { text, rows };
  },
};

async function measure({ say }: BenchSettings): Promise<SynchronousRow[]> {
  const pairs = Number(process.env['TIDEMARK_BENCH_PAIRS'] ?? PAIRS);
  await using server = await PostgresServer.create({
    major: 15,
    name: 'bench',
    settings: {
      fsync: 'on',
      max_wal_size: '8GB',
      shared_buffers: '512MB',
      autovacuum: 'off',
      checkpoint_timeout: '1h',
    },
  });
  say(`making pgbench's tables, scale ${SCALE}`);
  await pgbench(server, ['--initialize', '--quiet', `--scale=${SCALE}`]);
  // The first change of each page after a checkpoint carries the page: let that be over, so that latency is measured and not bulk.
  await server.query('CHECKPOINT');
  await pgbench(server, [
    '--no-vacuum',
    '--client=32',
    '--jobs=2',
    `--time=${WARM_UP_SECONDS}`,
    '--protocol=prepared',
    SCRIPT,
  ]);
  await using two = await openCluster(server, ['east', 'west'], 'tidemark_two');
  await using one = await openCluster(server, ['east'], 'tidemark_one');
  const standbys: readonly Standby[] = [
    receiveWal(server),
    tidemark(server, two, 'tidemark, 2 copies', 'tidemark_two'),
    tidemark(server, one, 'tidemark, 1 copy', 'tidemark_one'),
  ];
  const measured = new Map<string, Measured[]>(standbys.map(({ tool }) => [tool, []]));
  for (let pair = 1; pair <= pairs; pair++) {
    for (const { tool, run } of standbys) {
      await run(async (pids) => {
        for (const clients of CLIENTS) {
          const meters = pids.map((pid) => ProcessMeter.ofProcess(pid));
          const rate = await transactionsPerSecond(server, clients, SECONDS);
          const cpuSeconds = meters.reduce((sum, meter) => sum + meter.usage().cpuSeconds, 0);
          for (const meter of meters) meter[Symbol.dispose]();
          measured.get(tool)?.push({ clients, rate, cpuSeconds });
          say(`round ${pair}: ${tool}, ${clients} clients: ${rate.toFixed(0)} transactions/s`);
        }
      });
    }
  }
  // In order, so that profiles are written.
  for (const coordinator of [...two.coordinators, ...one.coordinators]) await coordinator.stop();
  const base = measured.get(standbys[0]?.tool ?? '') ?? [];
  return standbys.flatMap(({ tool }) =>
    CLIENTS.map((clients): SynchronousRow => {
      const own = (measured.get(tool) ?? []).filter((one) => one.clients === clients);
      const others = base.filter((one) => one.clients === clients);
      return {
        benchmark: 'synchronous',
        tool,
        clients,
        transactionsPerSecond: median(own.map(({ rate }) => rate)),
        ratio: median(own.map(({ rate }, round) => rate / (others[round]?.rate ?? NaN))),
        cpuMsPerTransaction: median(own.map(({ rate, cpuSeconds }) => (cpuSeconds * 1000) / (rate * SECONDS))),
      };
    }),
  );
}

async function openCluster(server: PostgresServer, dataCenters: string[], name: string): Promise<TidemarkCluster> {
  return await TidemarkCluster.create({
    shards: [server],
    dataCenters,
    snapshotInterval: '1h',
    startAgents: false,
    agentConfig: { synchronous: true, slot: name, postgres: { ...agentPostgres(server), application_name: name } },
  });
}

function agentPostgres({ socketDirectory, port, binDirectory }: PostgresServer): object {
  return { host: socketDirectory, port, bin_directory: binDirectory };
}

function tidemark(server: PostgresServer, cluster: TidemarkCluster, tool: string, name: string): Standby {
  return {
    tool,
    run: async (work) => {
      const [agent] = cluster.agents;
      if (agent === undefined) throw new Error('an agent was expected');
      await agent.start();
      try {
        await cluster.waitUntilStreaming();
        const pids = [agent, ...cluster.coordinators].map(({ pid }) => pid);
        await whileSynchronous(server, name, () => work(pids));
      } finally {
        await agent.stop();
      }
    },
  };
}

function receiveWal(server: PostgresServer): Standby {
  const name = 'receivewal';
  return {
    tool: 'pg_receivewal --synchronous',
    run: async (work) => {
      await using directory = TemporaryDirectory.create('receive');
      const connection = `host=${server.socketDirectory} port=${server.port} user=postgres application_name=${name}`;
      await using child = await ChildProcess.start({
        name: 'pg_receivewal',
        command: debianProgram('pg_receivewal'),
        directory: directory.path,
        args: [`--directory=${directory.subdirectory('wal')}`, '--synchronous', '--no-loop', `--dbname=${connection}`],
      });
      await whileSynchronous(server, name, () => work([child.pid]));
    },
  };
}

/** Commits wait for that standby, and for no other, while something is done. */
async function whileSynchronous(server: PostgresServer, name: string, work: () => Promise<void>): Promise<void> {
  const set = async (value: string): Promise<void> => {
    await server.query(`ALTER SYSTEM SET synchronous_standby_names = '${value}'`);
    await server.query('SELECT pg_reload_conf()');
  };
  await set(name);
  try {
    await waitFor(
      `${name} is the synchronous standby and has caught up`,
      async () =>
        await server.value<boolean>(
          `SELECT sync_state = 'sync' AND flush_lsn >= pg_current_wal_flush_lsn() - 1000
             FROM pg_stat_replication WHERE application_name = $1`,
          [name],
        ),
      { timeoutMs: 120_000 },
    );
    await work();
  } finally {
    await set('');
  }
}

async function transactionsPerSecond(server: PostgresServer, clients: number, seconds: number): Promise<number> {
  const args = ['--no-vacuum', `--client=${clients}`, '--jobs=2', `--time=${seconds}`, '--protocol=prepared', SCRIPT];
  const output = await pgbench(server, args);
  const rate = /tps = ([0-9.]+)/.exec(output)?.[1];
  if (rate === undefined) throw new Error(`pgbench said no rate:\n${output}`);
  return Number(rate);
}

async function pgbench(server: PostgresServer, args: readonly string[]): Promise<string> {
  return await runToEnd(
    {
      name: 'pgbench',
      command: debianProgram('pgbench'),
      directory: server.socketDirectory,
      args: [`--host=${server.socketDirectory}`, `--port=${server.port}`, '--username=postgres', ...args, 'postgres'],
    },
    300_000,
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? NaN, sorted[middle] ?? NaN];
  return (low + high) / 2;
}
