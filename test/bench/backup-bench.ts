import path from 'node:path';
import { TidemarkCluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { debianProgram, type DebianProgram } from '../support/debian-packages.ts';
import { runToEnd } from '../support/child-process.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import { configureBackrest } from './backrest-configuration.ts';
import { directoryBytes, makeData } from './bench-data.ts';
import { benchRow, formatRows, type BenchRow } from './bench-row.ts';
import type { BenchSettings, Benchmark } from './benchmark.ts';
import { ProcessMeter } from './process-meter.ts';

const TIMEOUT_MS = 600_000;

export const backupBenchmark: Benchmark = {
  name: 'backup',
  summary: 'a full base backup, beside pg_basebackup and pgBackRest',
  programs: ['etcd', 'pg_basebackup', 'pgbackrest'],
  run: async (settings) => {
    const rows = await measureBackups(settings);
    return { text: formatRows(rows), rows };
  },
};

/** A full base backup of the same database by each tool. */
async function measureBackups({ bytes: dataBytes, say }: BenchSettings): Promise<BenchRow[]> {
  await using server = await PostgresServer.create({
    major: 15,
    name: 'bench',
    settings: {
      max_wal_size: '8GB',
      shared_buffers: '512MB',
      autovacuum: 'off',
      archive_mode: 'on',
      archive_command: "'true'",
    },
  });
  say(`making ${Math.round(dataBytes / 1e6)} MB of data`);
  await makeData(server, dataBytes);
  const bytes = directoryBytes(path.join(server.dataDirectory, 'base'));
  const rows: BenchRow[] = [];
  say('pg_basebackup');
  rows.push(await measure(bytes, 'pg_basebackup', 'pg_basebackup', (target) => basebackupArguments(server, target)));
  say('pgBackRest, zst level 3, 2 processes');
  rows.push(await backrest(server, bytes));
  for (const level of [1, 3]) {
    say(`tidemark, zstd level ${level}${level === 1 ? ' (the default)' : ''}, 2 workers, 1 copy`);
    rows.push(await tidemark(server, bytes, level));
  }
  return rows;
}

async function tidemark(server: PostgresServer, bytes: number, level: number): Promise<BenchRow> {
  await using cluster = await TidemarkCluster.create({
    shards: [server],
    dataCenters: ['east'],
    snapshotInterval: '1h',
    agentConfig: { backup: { workers: 2, compression_level: level } },
  });
  const leader = await cluster.leader();
  await waitFor('the shard streams', async () => (await cluster.status()).nodes[0]?.state === 'streaming');
  await cluster.waitUntilAcknowledged(TIMEOUT_MS);
  const [agent] = cluster.agents;
  if (agent === undefined) throw new Error('an agent was expected');
  const storedBefore = directoryBytes(leader.repositoryPath);
  const processes = [agent, leader];
  const meters = processes.map(({ pid }) => ProcessMeter.ofProcess(pid));
  try {
    const startedAt = performance.now();
    await cluster.cli.json(['backup', 'create'], TIMEOUT_MS);
    return benchRow({
      benchmark: 'backup',
      tool: `tidemark zstd ${level}, 2 workers`,
      bytes,
      durationMs: performance.now() - startedAt,
      storedBytes: directoryBytes(leader.repositoryPath) - storedBefore,
      processes: ['agent', 'coordinator'].map((name, number) => ({
        name,
        ...(meters[number]?.usage() ?? { cpuSeconds: 0, peakRssBytes: 0 }),
      })),
    });
  } finally {
    for (const meter of meters) meter[Symbol.dispose]();
  }
}

function basebackupArguments(server: PostgresServer, target: string): string[] {
  return [
    `--pgdata=${target}/backup`,
    '--checkpoint=fast',
    '--wal-method=none',
    `--host=${server.socketDirectory}`,
    `--port=${server.port}`,
    '--username=postgres',
  ];
}

async function backrest(server: PostgresServer, bytes: number): Promise<BenchRow> {
  await using directory = TemporaryDirectory.create('backrest');
  const settings = { 'compress-level': 3, 'process-max': 2, 'archive-check': 'n' };
  const common = configureBackrest(directory, [server], settings)(server);
  await runToEnd({
    name: 'pgbackrest stanza-create',
    command: debianProgram('pgbackrest'),
    directory: directory.path,
    args: [...common, 'stanza-create'],
  });
  return await measure(
    bytes,
    'pgBackRest zst 3, 2 processes',
    'pgbackrest',
    () => [...common, '--type=full', 'backup'],
    `${directory.path}/repo`,
  );
}

async function measure(
  bytes: number,
  tool: string,
  program: DebianProgram,
  args: (target: string) => string[],
  storedIn?: string,
): Promise<BenchRow> {
  await using directory = TemporaryDirectory.create('backup');
  const target = directory.subdirectory('target');
  using meter = ProcessMeter.ofDirectory(directory.path);
  const startedAt = performance.now();
  await runToEnd(
    { name: program, command: debianProgram(program), directory: directory.path, args: args(target) },
    TIMEOUT_MS,
  );
  return benchRow({
    benchmark: 'backup',
    tool,
    bytes,
    durationMs: performance.now() - startedAt,
    storedBytes: directoryBytes(storedIn ?? target),
    processes: [{ name: program, ...meter.usage() }],
  });
}
