import { parseLsn } from '../../shared/postgres/lsn.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { TidemarkCluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { WalPuller } from '../support/wal-puller.ts';
import { debianProgram } from '../support/debian-packages.ts';
import { ChildProcess, describeExit } from '../support/child-process.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import { directoryBytes, makeWal } from './bench-data.ts';
import { benchRow, formatRows, type BenchRow } from './bench-row.ts';
import type { BenchSettings, Benchmark } from './benchmark.ts';
import { ProcessMeter } from './process-meter.ts';

const MIB = 1024 * 1024;
const AGENT = 'agent';
/** Beside a database at work, however fast its WAL is streamed. */
const AGENT_RESIDENT_MIB_MAX = 128;

export const walBenchmark: Benchmark = {
  name: 'wal',
  summary: 'catching up with WAL, beside pg_receivewal plain and with lz4',
  programs: ['etcd', 'pg_receivewal'],
  run: async (settings) => {
    const rows = await measureWal(settings);
    const peaks = rows.flatMap(({ tool, processes }) =>
      processes.flatMap(({ name, peakRssBytes }) => (name === AGENT ? [{ tool, mebibytes: peakRssBytes / MIB }] : [])),
    );
    const said = peaks.map(({ tool, mebibytes }) => `${mebibytes.toFixed(0)} (${tool})`).join(', ');
    return {
      text: `${formatRows(rows)}\nthe agent's resident memory: at most ${AGENT_RESIDENT_MIB_MAX} MiB is right, measured ${said}`,
      rows,
      failures: peaks
        .filter(({ mebibytes }) => mebibytes > AGENT_RESIDENT_MIB_MAX)
        .map(
          ({ tool, mebibytes }) => `${tool}: the agent took ${mebibytes.toFixed(1)} MiB of ${AGENT_RESIDENT_MIB_MAX}`,
        ),
    };
  },
};

/** How fast WAL that is already there is caught up with: pg_receivewal, plain and with lz4, and Tidemark with two durable copies. */
async function measureWal({ bytes: walBytes, say }: BenchSettings): Promise<BenchRow[]> {
  await using server = await PostgresServer.create({
    major: 15,
    name: 'bench',
    settings: { wal_keep_size: '16GB', max_wal_size: '4GB', shared_buffers: '512MB', autovacuum: 'off' },
  });
  const slots = ['plain', 'lz4'] as const;
  for (const slot of [...slots, 'alone', 'tidemark'])
    await server.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
  const startLsn = await server.value('SELECT restart_lsn::text FROM pg_replication_slots LIMIT 1');
  say(`making ${Math.round(walBytes / 1e6)} MB of WAL`);
  await makeWal(server, walBytes, startLsn);
  await server.query('SELECT pg_switch_wal()');
  await server.query('CHECKPOINT');
  const endLsn = await server.value('SELECT pg_current_wal_flush_lsn()::text');
  // readers stop when they see something beyond the end
  await server.query("SELECT pg_logical_emit_message(false, 'bench', repeat('x', 1000000)), pg_switch_wal()");
  const bytes = Number(await server.value('SELECT $1::pg_lsn - $2::pg_lsn', [endLsn, startLsn]));

  const rows: BenchRow[] = [];
  for (const slot of slots) {
    say(`pg_receivewal, ${slot}`);
    rows.push(await receiveWal(server, slot, endLsn, bytes));
  }
  say('tidemark, the agent alone');
  rows.push(await agentAlone(server, endLsn, bytes));
  say('tidemark, two copies');
  rows.push(await tidemark(server, endLsn, bytes));
  return rows;
}

/** As fast as the agent gives: nobody stores what comes. */
async function agentAlone(server: PostgresServer, endLsn: string, bytes: number): Promise<BenchRow> {
  await using directory = TemporaryDirectory.create('alone');
  const systemIdentifier = await server.value('SELECT system_identifier::text FROM pg_control_system()');
  const node = 'bench';
  await using agent = await AgentProcess.prepare(directory, { node, postgres: server, config: { slot: 'alone' } });
  await agent.start();
  const puller = new WalPuller(agent.address, { node, systemIdentifier, timeline: 1 });
  puller.measureOnly = true;
  const wanted = parseLsn(endLsn);
  const arrived = new AbortController();
  using meter = ProcessMeter.ofProcess(agent.pid);
  const startedAt = performance.now();
  try {
    await puller.pull({
      term: 1n,
      signal: arrived.signal,
      acknowledge: (changeSet) => {
        if (changeSet.endLsn >= wanted) arrived.abort();
        return true;
      },
    });
  } catch (error) {
    if (!arrived.signal.aborted) throw error;
  }
  return benchRow({
    benchmark: 'wal',
    tool: 'tidemark, agent alone',
    bytes,
    durationMs: performance.now() - startedAt,
    storedBytes: puller.receivedFrameBytes,
    processes: [{ name: AGENT, ...meter.usage() }],
  });
}

async function tidemark(server: PostgresServer, endLsn: string, bytes: number): Promise<BenchRow> {
  await using cluster = await TidemarkCluster.create({
    shards: [server],
    dataCenters: ['east', 'west'],
    snapshotInterval: '1h',
    startAgents: false,
  });
  const [agent] = cluster.agents;
  const leader = await cluster.leader();
  const follower = cluster.coordinators.find((coordinator) => coordinator !== leader);
  if (agent === undefined || follower === undefined) throw new Error('an agent and a follower were expected');
  await agent.start();
  const processes = [agent, leader, follower];
  const meters = processes.map(({ pid }) => ProcessMeter.ofProcess(pid));
  try {
    await waitFor(
      'WAL is streamed',
      async () => await server.value<boolean>("SELECT active FROM pg_replication_slots WHERE slot_name = 'tidemark'"),
      { intervalMs: 2 },
    );
    const startedAt = performance.now();
    const wanted = parseLsn(endLsn);
    await waitFor(
      'everything is durable on two copies',
      // the slot, not /metrics: asking for these often would be measured too
      async () => (await cluster.slotPositions()).every((position) => position >= wanted),
      { timeoutMs: 600_000, intervalMs: 20 },
    );
    return benchRow({
      benchmark: 'wal',
      tool: 'tidemark, 2 copies',
      bytes,
      durationMs: performance.now() - startedAt,
      storedBytes: [leader, follower].reduce((sum, { repositoryPath }) => sum + directoryBytes(repositoryPath), 0),
      processes: processes.map(({ name }, number) => ({
        name: number === 0 ? AGENT : `${number === 1 ? 'leader' : 'follower'} (${name})`,
        ...(meters[number]?.usage() ?? { cpuSeconds: 0, peakRssBytes: 0 }),
      })),
    });
  } finally {
    for (const meter of meters) meter[Symbol.dispose]();
    // in order, so that profiles are written
    for (const part of processes) await part.stop();
  }
}

async function receiveWal(
  server: PostgresServer,
  slot: 'plain' | 'lz4',
  endLsn: string,
  bytes: number,
): Promise<BenchRow> {
  await using directory = TemporaryDirectory.create('receive');
  const target = directory.subdirectory('wal');
  using meter = ProcessMeter.ofDirectory(directory.path);
  const startedAt = performance.now();
  await using child = await ChildProcess.start({
    name: 'pg_receivewal',
    command: debianProgram('pg_receivewal'),
    directory: directory.path,
    args: [
      `--directory=${target}`,
      `--slot=${slot}`,
      `--endpos=${endLsn}`,
      '--no-loop',
      `--host=${server.socketDirectory}`,
      `--port=${server.port}`,
      '--username=postgres',
      `--compress=${slot === 'plain' ? 'none' : 'lz4'}`,
    ],
  });
  const exit = await child.exited;
  const durationMs = performance.now() - startedAt;
  if (exit.code !== 0) throw new Error(`pg_receivewal: ${describeExit(exit)}\n${child.logTail()}`);
  return benchRow({
    benchmark: 'wal',
    tool: `pg_receivewal ${slot}`,
    bytes,
    durationMs,
    storedBytes: directoryBytes(target),
    processes: [{ name: 'pg_receivewal', ...meter.usage() }],
  });
}
