import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkCluster } from '../../support/cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

const PROMTOOL = '/usr/bin/promtool';

/** Every command on a living cluster of one node and one coordinator, and then on its bare repository. */
describe('the command line on a living cluster', () => {
  let cluster: TidemarkCluster;
  let backupId: string;
  let snapshotId: string;

  before(async function () {
    this.timeout(120_000);
    cluster = await TidemarkCluster.create({
      shards: 1,
      dataCenters: ['east'],
      coordination: 'embedded',
      snapshotInterval: '1s',
    });
    await cluster.leader();
    await waitFor('the node streams', async () => {
      const { nodes } = await cluster.cli.json<{ nodes: { state: string }[] }>(['status']);
      return nodes[0]?.state === 'streaming';
    });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const text = async (...args: string[]) => {
    const result = await cluster.cli.run(args);
    assert.equal(result.exitCode, 0, result.stderr);
    return result.stdout;
  };

  it('says before the first backup what is missing', async () => {
    const status = await cluster.cli.json<{ state: string; problems: string[]; recoverable: unknown }>(['status']);
    assert.equal(status.state, 'degraded');
    assert.ok(
      status.problems.some((problem) => /shard-0 has no base backup/.test(problem)),
      String(status.problems),
    );
    assert.equal(status.recoverable, null);
  });

  it('takes a base backup and shows it', async () => {
    const { backups } = await cluster.cli.json<{ backups: { id: string; node: string; bytes: number }[] }>(
      ['backup', 'create', '--node', 'shard-0'],
      120_000,
    );
    assert.deepEqual(
      backups.map(({ node }) => node),
      ['shard-0'],
    );
    assert.ok((backups[0]?.bytes ?? 0) > 10_000_000);
    backupId = backups[0]?.id ?? '';
    assert.match(await text('backup', 'list'), new RegExp(`^BACKUP .*\n${backupId} +shard-0 +full `));
    assert.match(await text('backup', 'show', backupId), /^data centres +east$/m);
    const missing = await cluster.cli.run(['backup', 'show', 'nothing']);
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /there is no base backup nothing \(TM-BACKUP-002\)/);
    assert.equal((await cluster.cli.run(['backup', 'create', '--node', 'other'])).exitCode, 2);
  });

  it('takes a snapshot and shows it', async () => {
    const made = await cluster.cli.json<{ id: string; label: string; restorable: boolean; cut: { node: string }[] }>([
      'snapshot',
      'create',
      '--label',
      'by hand',
    ]);
    snapshotId = made.id;
    assert.equal(made.label, 'by hand');
    assert.equal(made.restorable, true);
    assert.deepEqual(
      made.cut.map(({ node }) => node),
      ['shard-0'],
    );
    assert.match(await text('snapshot', 'list'), /by hand/);
    assert.match(await text('snapshot', 'show', snapshotId), /^restorable +yes$/m);
    assert.equal((await cluster.cli.run(['snapshot', 'show', 'nothing'])).exitCode, 1);
  });

  it('says ok when everything is as it should be', async () => {
    await waitFor('the state is ok', async () => {
      const { state } = await cluster.cli.json<{ state: string }>(['status']);
      return state === 'ok';
    });
    const table = await text('status');
    assert.match(table, /^state +ok$/m);
    assert.match(table, /^shard-0 +streaming +1 +0\/[0-9A-F]+ +0\/[0-9A-F]+ .* east .*$/m);
    assert.match(table, /^east +east +127\.0\.0\.1:\d+ +leader$/m);
  });

  it('shows the leader, and makes it resign', async () => {
    const before = await cluster.cli.json<{ coordinator_id: string; term: number }>(['leader', 'show']);
    const after = await cluster.cli.json<{ coordinator_id: string; term: number }>(['leader', 'resign']);
    assert.equal(after.coordinator_id, 'east');
    assert.ok(after.term > before.term);
    await waitFor('the node streams again', async () => {
      const { nodes } = await cluster.cli.json<{ nodes: { state: string }[] }>(['status']);
      return nodes[0]?.state === 'streaming';
    });
  });

  it('has metrics that promtool accepts, and is healthy', async () => {
    const [coordinator] = cluster.coordinators;
    const [agent] = cluster.agents;
    assert.ok(coordinator !== undefined && agent !== undefined);
    const expected = {
      coordinator: [
        'tidemark_leader 1',
        'tidemark_node_streaming{node="shard-0"} 1',
        'tidemark_backup_bytes{node="shard-0"}',
        'tidemark_copy_lag_bytes{node="shard-0",data_center="east"}',
        'tidemark_node_acknowledged_lsn_bytes',
        'tidemark_last_complete_snapshot_age_seconds',
        'tidemark_term',
        'tidemark_errors_total',
      ],
      agent: ['tidemark_agent_postgres_reachable 1', 'tidemark_agent_streaming 1'],
    };
    for (const [process, address] of [
      ['coordinator', coordinator.metricsAddress],
      ['agent', agent.metricsAddress],
    ] as const) {
      const body = await (await fetch(`http://${address}/metrics`)).text();
      for (const line of expected[process]) {
        assert.ok(body.includes(line), `${line} of ${process}`);
      }
      if (existsSync(PROMTOOL)) {
        const { stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], { input: body, encoding: 'utf8' });
        // The names of Node's own metrics are prom-client's.
        const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('tidemark_'));
        assert.deepEqual(complaints, []);
      }
      assert.equal((await fetch(`http://${address}/healthz`)).status, 200);
    }
  });

  it('plans a restore', async () => {
    const target = ['--target', 'shard-0=127.0.0.1:7401:/nowhere/new:6000'];
    const plan = await cluster.cli.json<{ nodes: { backup_id: string; directory: string }[] }>([
      'restore',
      '--dry-run',
      '--snapshot',
      snapshotId,
      ...target,
    ]);
    assert.deepEqual(
      plan.nodes.map((node) => [node.backup_id, node.directory]),
      [[backupId, '/nowhere/new']],
    );
    const wrong = await cluster.cli.run(['restore', '--dry-run', '--target', 'other=127.0.0.1:7401:/nowhere/new']);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /TM-RESTORE-003/);
  });

  describe('on its bare repository, with nothing running', () => {
    let repository: string;

    before(async function () {
      this.timeout(60_000);
      for (const process of [...cluster.agents, ...cluster.coordinators]) {
        await process.stop();
      }
      repository = cluster.coordinators[0]?.repositoryPath ?? '';
    });

    it('cannot reach a coordinator', async () => {
      assert.equal((await cluster.cli.run(['status', '--coordinator', '127.0.0.1:1'])).exitCode, 3);
    });

    it('lists and shows what is there', async () => {
      const list = await text('repository', 'list', '--path', repository);
      assert.match(list, /^cluster +test$/m);
      assert.match(list, new RegExp(`^${snapshotId} .* yes +yes .* by hand$`, 'm'));
      assert.match(list, new RegExp(`^${backupId} +shard-0`, 'm'));
      assert.match(list, /^shard-0 +\d+ +1 +0\/[0-9A-F]+ +0\/[0-9A-F]+ /m);
      assert.match(await text('repository', 'show', snapshotId, '--path', repository), /^label +by hand$/m);
      assert.match(await text('repository', 'show', backupId, '--path', repository), /^type +full$/m);
    });

    it('plans a restore from it', async () => {
      const args = ['repository', 'restore', '--path', repository, '--dry-run', '--target', 'shard-0=/nowhere/new'];
      assert.match(await text(...args), new RegExp(`shard-0 +${backupId}`));
    });

    it('finds it sound, and finds one changed byte, with exit code 4', async () => {
      assert.match(await text('repository', 'verify', '--path', repository), /is sound\.\n$/);
      const pack = (await readdir(repository, { recursive: true })).find((name) => name.endsWith('000000.pack'));
      assert.ok(pack !== undefined);
      await flipByte(path.join(repository, pack), 100_000);
      const { exitCode, stdout, stderr } = await cluster.cli.run([
        'repository',
        'verify',
        '--path',
        repository,
        '--json',
      ]);
      assert.equal(exitCode, 4);
      const { sound, findings } = JSON.parse(stdout) as {
        sound: boolean;
        findings: { kind: string; subject: string }[];
      };
      assert.equal(sound, false);
      assert.ok(
        findings.some(({ kind, subject }) => kind === 'damage' && subject.includes(backupId)),
        stdout,
      );
      assert.match(stderr, /TM-REPO-003/);
    });
  });
});

async function flipByte(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
    buffer[0] = (buffer[0] ?? 0) ^ 0x10;
    await handle.write(buffer, 0, 1, offset);
  } finally {
    await handle.close();
  }
}
