import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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
const PAIRS = 3;
const SECONDS = 6;
const WARM_UP_SECONDS = 20;
/** A process that runs for months is not measured while its code is being compiled. */
const STANDBY_WARM_UP_SECONDS = 12;
const CLIENTS = [8, 32] as const;
/** Times faster than pg_receivewal. */
const AIM = 1;

type Clients = (typeof CLIENTS)[number];

/**
 * `shared`: the database, its clients and the standby take the processors from each other. `apart`: the database and its clients have the
 * first one, the standby has the others, as where it stands on a machine or in a control group of its own.
 */
type Placement = 'shared' | 'apart';

/** In order: a processor that a process was given is inherited by those that it starts. */
const PLACEMENTS: readonly Placement[] = ['shared', 'apart'];
const DATABASE_CPU = '0';

/** Transactions per second with one synchronous standby. */
export interface SynchronousRow {
  readonly benchmark: 'synchronous';
  readonly tool: string;
  readonly placement: Placement;
  readonly clients: number;
  /** The median of all rounds. */
  readonly transactionsPerSecond: number;
  /** The median of each round's rate, divided by that of pg_receivewal in the same round. */
  readonly ratio: number;
  /** Of the tool's processes, for 1000 transactions. */
  readonly cpuMsPerTransaction: number;
}

interface Measured {
  readonly placement: Placement;
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
    const lines = [['tool', 'processors', 'clients', 'tps', 'ratio', 'CPU ms/transaction']];
    for (const row of rows) {
      lines.push([
        row.tool,
        row.placement,
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
  for (const placement of PLACEMENTS) {
    if (placement === 'apart') {
      const others = `1-${availableParallelism() - 1}`;
      placeOn(others, [process.pid, ...[...two.coordinators, ...one.coordinators].map(({ pid }) => pid)]);
      placeOn(DATABASE_CPU, [server.pid, ...childrenOf(server.pid)]);
    }
    for (let pair = 1; pair <= pairs; pair++) {
      for (const { tool, run } of standbys) {
        await run(async (pids) => {
          await transactionsPerSecond(server, placement, CLIENTS[1], STANDBY_WARM_UP_SECONDS);
          for (const clients of CLIENTS) {
            const meters = pids.map((pid) => ProcessMeter.ofProcess(pid));
            const rate = await transactionsPerSecond(server, placement, clients, SECONDS);
            const cpuSeconds = meters.reduce((sum, meter) => sum + meter.usage().cpuSeconds, 0);
            for (const meter of meters) meter[Symbol.dispose]();
            measured.get(tool)?.push({ placement, clients, rate, cpuSeconds });
            say(`${placement}, round ${pair}: ${tool}, ${clients} clients: ${rate.toFixed(0)} transactions/s`);
          }
        });
      }
    }
  }
  // In order, so that profiles are written.
  for (const coordinator of [...two.coordinators, ...one.coordinators]) await coordinator.stop();
  const base = measured.get(standbys[0]?.tool ?? '') ?? [];
  return PLACEMENTS.flatMap((placement) =>
    standbys.flatMap(({ tool }) =>
      CLIENTS.map((clients): SynchronousRow => {
        const isOf = (one: Measured): boolean => one.clients === clients && one.placement === placement;
        const own = (measured.get(tool) ?? []).filter(isOf);
        const others = base.filter(isOf);
        return {
          benchmark: 'synchronous',
          tool,
          placement,
          clients,
          transactionsPerSecond: median(own.map(({ rate }) => rate)),
          ratio: median(own.map(({ rate }, round) => rate / (others[round]?.rate ?? NaN))),
          cpuMsPerTransaction: median(own.map(({ rate, cpuSeconds }) => (cpuSeconds * 1000) / (rate * SECONDS))),
        };
      }),
    ),
  );
}

/** All threads of the processes, and whatever they start from now on. */
function placeOn(processors: string, pids: readonly number[]): void {
  // Not as the user that the servers run as: this process is to be placed too.
  for (const pid of pids) execFileSync('taskset', ['-a', '-c', '-p', processors, String(pid)]);
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
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

async function transactionsPerSecond(
  server: PostgresServer,
  placement: Placement,
  clients: number,
  seconds: number,
): Promise<number> {
  const args = ['--no-vacuum', `--client=${clients}`, '--jobs=2', `--time=${seconds}`, '--protocol=prepared', SCRIPT];
  const output = await pgbench(server, args, placement);
  const rate = /tps = ([0-9.]+)/.exec(output)?.[1];
  if (rate === undefined) throw new Error(`pgbench said no rate:\n${output}`);
  return Number(rate);
}

async function pgbench(
  server: PostgresServer,
  args: readonly string[],
  placement: Placement = 'shared',
): Promise<string> {
  const program = debianProgram('pgbench');
  const connection = [`--host=${server.socketDirectory}`, `--port=${server.port}`, '--username=postgres'];
  const [command, ...before] = placement === 'apart' ? ['taskset', '-c', DATABASE_CPU, program] : [program];
  return await runToEnd(
    {
      name: 'pgbench',
      command: command ?? program,
      directory: server.socketDirectory,
      args: [...before, ...connection, ...args, 'postgres'],
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
