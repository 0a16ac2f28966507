import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openChannel, type Channel } from '../../shared/rpc/channel.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import { ChildProcess, runToEnd } from '../support/child-process.ts';
import { TidemarkCluster } from '../support/cluster.ts';
import { debianProgram } from '../support/debian-packages.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import type { PostgresServer } from '../support/postgres-server.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import type { BenchReport, BenchSettings, Benchmark } from './benchmark.ts';
import { formatTable } from './table.ts';

const SHARDS = 2;
const CLIENTS = 4;
const SECONDS = 12;
const ROUNDS = 5;
const POINT_INTERVAL_MS = 1000;

export const snapshotBenchmark: Benchmark = {
  name: 'snapshots',
  summary: 'what a snapshot every second costs pgbench, beside a lock for every point',
  programs: ['etcd', 'pgbench'],
  run: measureSnapshots,
};

/** What is done every second while pgbench works. */
type Mode = 'nothing' | 'snapshots' | 'locks';
const MODES: readonly Mode[] = ['nothing', 'snapshots', 'locks'];

/** Every transaction is a two-phase commit that leaves a row in one table, as Citus's do in pg_dist_transaction. */
const SCRIPT = `\\set aid random(1, 100000)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
INSERT INTO decisions VALUES (:client_id, :aid);
PREPARE TRANSACTION 'b:shard-:client_id';
COMMIT PREPARED 'b:shard-:client_id';
`;

interface SnapshotRow {
  readonly benchmark: 'snapshots';
  readonly tool: string;
  /** Of all shards together; the median of the rounds. */
  readonly transactionsPerSecond: number;
  /** Against nothing in the same round; the median of the rounds. */
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  readonly points: number;
  /** The worst latency that pgbench saw, in any round. */
  readonly latencyMaxMs: number;
}

interface Measured {
  readonly transactionsPerSecond: number;
  readonly points: number;
  readonly latencyMaxMs: number;
}

/** The modes in turn, so that each round compares what ran side by side in time. */
async function measureSnapshots({ say }: BenchSettings): Promise<BenchReport> {
  await using stack = new DisposalStack();
  const directory = stack.use(TemporaryDirectory.create('pgbench'));
  const cluster = stack.use(
    await TidemarkCluster.create({
      shards: SHARDS,
      snapshotInterval: '1h',
      postgres: { walSegmentSizeMb: 16, settings: { fsync: 'on', max_wal_size: '4GB' } },
    }),
  );
  for (const shard of cluster.shards) {
    await runToEnd({
      name: 'pgbench -i',
      command: debianProgram('pgbench'),
      directory: directory.path,
      args: ['--initialize', '--quiet', ...connection(shard)],
    });
    await shard.query('CREATE TABLE decisions (client int, account int)');
  }
  writeFileSync(`${directory.path}/script.sql`, SCRIPT);

  const rounds: Record<Mode, Measured>[] = [];
  for (let number = 0; number < ROUNDS; number++) {
    const round = new Map<Mode, Measured>();
    // another one first each time
    for (const mode of [...MODES.slice(number % MODES.length), ...MODES.slice(0, number % MODES.length)]) {
      const measured = await measure(cluster, directory, mode, say);
      say(`round ${number + 1}, ${mode}: ${measured.transactionsPerSecond.toFixed(0)} tps, ${measured.points} points`);
      round.set(mode, measured);
    }
    rounds.push(Object.fromEntries(round) as Record<Mode, Measured>);
  }
  const rows = MODES.map((mode): SnapshotRow => {
    const ratios = rounds.map((round) => round[mode].transactionsPerSecond / round.nothing.transactionsPerSecond);
    return {
      benchmark: 'snapshots',
      tool: { nothing: 'no points', snapshots: 'a snapshot each second', locks: 'a lock each second' }[mode],
      transactionsPerSecond: median(rounds.map((round) => round[mode].transactionsPerSecond)),
      ratio: median(ratios),
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
      points: rounds.reduce((sum, round) => sum + round[mode].points, 0),
      latencyMaxMs: Math.max(...rounds.map((round) => round[mode].latencyMaxMs)),
    };
  });
  return { text: format(rows), rows };
}

async function measure(
  cluster: TidemarkCluster,
  directory: TemporaryDirectory,
  mode: Mode,
  say: BenchSettings['say'],
): Promise<Measured> {
  const logs = directory.subdirectory(`log-${mode}-${performance.now()}`);
  const ended = new AbortController();
  const points = { nothing: noPoints, snapshots: takeSnapshots, locks: takeLocks }[mode](cluster, ended.signal, say);
  const outputs = await Promise.all(
    cluster.shards.map(async (shard, number) => await runPgbench(shard, number, directory.path, logs)),
  );
  ended.abort();
  return {
    transactionsPerSecond: outputs.reduce((sum, { tps }) => sum + tps, 0),
    points: await points,
    latencyMaxMs: Math.max(...outputs.map(({ latencyMaxMs }) => latencyMaxMs)),
  };
}

async function runPgbench(
  shard: PostgresServer,
  number: number,
  directory: string,
  logs: string,
): Promise<{ tps: number; latencyMaxMs: number }> {
  await using child = await ChildProcess.start({
    name: `pgbench of ${shard.name}`,
    command: debianProgram('pgbench'),
    directory,
    args: [
      `--client=${CLIENTS}`,
      `--time=${SECONDS}`,
      `--define=shard=${number}`,
      `--file=${directory}/script.sql`,
      '--no-vacuum',
      '--progress=1',
      '--log',
      `--log-prefix=${logs}/shard-${number}`,
      '--aggregate-interval=1',
      ...connection(shard),
    ],
  });
  const { code } = await child.exited;
  const tps = Number(/tps = ([\d.]+)/.exec(child.stdout)?.[1]);
  if (code !== 0 || !(tps > 0)) throw new Error(`pgbench failed:\n${child.logTail()}`);
  return { tps, latencyMaxMs: latencyMax(logs, number) };
}

/** In pgbench's aggregated log the sixth number of a line is the interval's longest latency, in microseconds. */
function latencyMax(logs: string, number: number): number {
  const lines = readdirSync(logs)
    .filter((name) => name.startsWith(`shard-${number}.`))
    .flatMap((name) => readFileSync(`${logs}/${name}`, 'utf8').trim().split('\n'));
  return Math.max(...lines.map((line) => Number(line.split(' ')[5]) / 1000));
}

async function noPoints(): Promise<number> {
  return 0;
}

async function takeSnapshots(cluster: TidemarkCluster, ended: AbortSignal, say: BenchSettings['say']): Promise<number> {
  // Any coordinator passes it on to the leader; one that cannot be reached at the moment is passed over.
  const channels = cluster.coordinators.map(({ address }) => openChannel(address));
  const take = async ({ admin }: Channel): Promise<boolean> => {
    try {
      await callUnary(admin, 'CreateSnapshot', { label: '' }, { deadlineMs: 30_000 });
      return true;
    } catch (error) {
      say(`no snapshot: ${String(error)}`);
      return false;
    }
  };
  try {
    return await everySecond(ended, async () => {
      for (const channel of channels) if (await take(channel)) return true;
      return false;
    });
  } finally {
    for (const channel of channels) channel.close();
  }
}

/** As tools do that write a restore point on every node while nobody can decide a transaction. */
async function takeLocks(cluster: TidemarkCluster, ended: AbortSignal): Promise<number> {
  const clients = await Promise.all(cluster.shards.map(async (shard) => await shard.connect()));
  const onAll = async (text: string): Promise<void> => {
    await Promise.all(clients.map(async (client) => await client.query(text)));
  };
  try {
    return await everySecond(ended, async () => {
      await onAll('BEGIN');
      await onAll('LOCK TABLE decisions IN EXCLUSIVE MODE');
      await onAll("SELECT pg_create_restore_point('point')");
      await onAll('COMMIT');
      return true;
    });
  } finally {
    await Promise.all(clients.map(async (client) => await client.end()));
  }
}

/** How often it succeeded. */
async function everySecond(ended: AbortSignal, work: () => Promise<boolean>): Promise<number> {
  let count = 0;
  while (!ended.aborted) {
    const startedAt = performance.now();
    if (await work()) count += 1;
    await delay(Math.max(0, startedAt + POINT_INTERVAL_MS - performance.now()), undefined, { signal: ended }).catch(
      () => undefined,
    );
  }
  return count;
}

function connection(shard: PostgresServer): string[] {
  return [`--host=${shard.socketDirectory}`, `--port=${shard.port}`, '--username=postgres', 'postgres'];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function format(rows: readonly SnapshotRow[]): string {
  return formatTable([
    ['each second', 'tps', 'ratio', 'least', 'most', 'points', 'worst latency ms'],
    ...rows.map((row) => [
      row.tool,
      row.transactionsPerSecond.toFixed(0),
      row.ratio.toFixed(3),
      row.ratioMin.toFixed(3),
      row.ratioMax.toFixed(3),
      String(row.points),
      row.latencyMaxMs.toFixed(0),
    ]),
  ]);
}
