import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { findLost } from '../../support/bank/bank-check.ts';
import { BankLoad } from '../../support/bank/bank-load.ts';
import { createBank, type BankLayout } from '../../support/bank/bank-schema.ts';
import { seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../../support/cluster.ts';
import type { PostgresServer } from '../../support/postgres-server.ts';
import { RestoredCluster, type SnapshotJson } from '../../support/restored-cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

const ACCOUNTS = 200;

describe('Nodes whose slots are lost', function () {
  this.timeout(240_000);
  const seed = seedFromEnvironment();

  it(`go on by themselves: the gaps are told, new base backups make all whole again (seed ${seed})`, async () => {
    await using cluster = await TidemarkCluster.create({
      shards: 2,
      dataCenters: ['east', 'west'],
      snapshotInterval: '1h',
      postgres: { walSegmentSizeMb: 1, settings: { max_wal_size: '4MB', min_wal_size: '2MB' } },
    });
    const layout: BankLayout = {
      accounts: ACCOUNTS,
      shards: cluster.shards.map(({ port }) => ({ host: '127.0.0.1', port })),
    };
    await createBank(layout);
    await using load = new BankLoad(layout, { seed, abandonProbability: 0.02, leftoverAgeMs: 1_000, noteLength: 300 });
    await waitFor('some work', () => load.acknowledged.length > 50);
    await cluster.cli.json(['backup', 'create'], 120_000);
    const before = await takeSnapshot(cluster, 'before');

    for (const agent of cluster.agents) await agent.kill();
    const [dropped, invalidated] = cluster.shards;
    assert.ok(dropped !== undefined && invalidated !== undefined);
    await Promise.all([
      loseWal(dropped, () => dropSlot(dropped)),
      loseWal(invalidated, () => limitSlot(invalidated, 1)),
    ]);
    assert.equal(await invalidated.value(`SELECT wal_status FROM pg_replication_slots`), 'lost');
    await limitSlot(invalidated, -1);
    for (const agent of cluster.agents) await agent.start();

    const told = async (): Promise<number> => {
      const { problems } = await cluster.status();
      const lost = /node (shard-.) has lost WAL from .* a new base backup .*\(tidemark backup create --node \1\)/;
      return problems.filter((text) => lost.test(text)).length;
    };
    await waitFor('the status tells of the gaps', async () => (await told()) === 2, {
      timeoutMs: 60_000,
      intervalMs: 300,
    });
    await cluster.waitUntilAcknowledged();
    const metrics = await (await cluster.leader()).metrics();
    for (const { name } of cluster.shards) {
      assert.ok((metrics.get(`tidemark_node_wal_lost_bytes{node="${name}"}`) ?? 0) > 0);
    }

    const between = await takeSnapshot(cluster, 'between');
    assert.equal(between.restorable, false);
    const refused = await plan(cluster, between.id);
    assert.equal(refused.exitCode, 1);
    for (const { name } of cluster.shards) {
      const gap = new RegExp(`node ${name}: its WAL [^;]* is missing; PostgreSQL had no WAL from [^;]* any more`);
      assert.match(refused.stderr, gap);
    }
    assert.equal((await plan(cluster, before.id)).exitCode, 0, 'what lies before the gap can be restored');

    await cluster.cli.json(['backup', 'create'], 120_000);
    assert.equal(await told(), 0, 'from now on everything can be restored again');
    const acknowledged = [...load.acknowledged];
    const after = await takeSnapshot(cluster, 'after');
    assert.equal(after.restorable, true);
    await load.stop();
    await cluster.waitUntilAcknowledged();
    await using restored = await RestoredCluster.fromCoordinators(cluster, after.id);
    assert.deepEqual(findLost(await restored.inspectBank(ACCOUNTS), acknowledged), []);

    for (const { repositoryPath } of cluster.coordinators) {
      const { exitCode, stdout, stderr } = await cluster.cli.run(['repository', 'verify', '--path', repositoryPath]);
      assert.equal(exitCode, 0, stderr);
      for (const { name } of cluster.shards) assert.match(stdout, new RegExp(`lost +WAL of ${name}, timeline 1`));
    }
  });
});

/** A complete one; for a while nobody knows how some branches ended that were open at a gap. */
async function takeSnapshot(cluster: TidemarkCluster, label: string): Promise<SnapshotJson> {
  return await waitFor(
    'a complete snapshot',
    async () => {
      const taken = await cluster.cli.json<SnapshotJson>(['snapshot', 'create', '--label', label]);
      return taken.complete ? taken : null;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );
}

/** Writes WAL until nothing is left of what was there when the slot was lost. */
async function loseWal(shard: PostgresServer, loseSlot: () => Promise<void>): Promise<void> {
  const segments = (): string[] =>
    readdirSync(path.join(shard.dataDirectory, 'pg_wal')).filter((name) => /^[0-9A-F]{24}$/.test(name));
  await loseSlot();
  const current = await shard.value('SELECT pg_walfile_name(pg_current_wal_lsn())');
  await waitFor(
    'PostgreSQL has removed what was not copied',
    async () => {
      await shard.query('SELECT pg_switch_wal()');
      await shard.query('CHECKPOINT');
      return !segments().includes(current);
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
}

/** @param keepMb -1: no limit */
async function limitSlot(shard: PostgresServer, keepMb: number): Promise<void> {
  await shard.query(`ALTER SYSTEM SET max_slot_wal_keep_size = ${keepMb}`);
  await shard.query('SELECT pg_reload_conf()');
}

/** Once PostgreSQL has noticed that nobody uses it any more. */
async function dropSlot(shard: PostgresServer): Promise<void> {
  await waitFor('the slot is free', async () => {
    const used = await shard.value(`SELECT active::text FROM pg_replication_slots WHERE slot_name = 'tidemark'`);
    return used === 'false';
  });
  await shard.query(`SELECT pg_drop_replication_slot('tidemark')`);
}

async function plan(cluster: TidemarkCluster, snapshotId: string) {
  const targets = cluster.shards.flatMap(({ name }) => ['--target', `${name}=127.0.0.1:1:/nowhere/${name}`]);
  return await cluster.cli.run(['restore', '--dry-run', '--snapshot', snapshotId, ...targets]);
}
