import assert from 'node:assert/strict';
import { parseSynchronousStandbyNames } from '../../../shared/postgres/synchronous-standby-names.ts';
import { findLost } from '../../support/bank/bank-check.ts';
import { BankLoad } from '../../support/bank/bank-load.ts';
import { connectToShard, createBank, type BankLayout } from '../../support/bank/bank-schema.ts';
import { SeededRandom, seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../../support/cluster.ts';
import type { PostgresServer } from '../../support/postgres-server.ts';
import { RestoredCluster, type SnapshotJson } from '../../support/restored-cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

const ACCOUNTS = 100;

/** What voids the promise, how it is taken back, and what is said of it. */
const VOIDING = [
  {
    set: "ALTER SYSTEM SET synchronous_commit = 'local'",
    reset: 'ALTER SYSTEM RESET synchronous_commit',
    said: /synchronous_commit is local/,
  },
  {
    set: "ALTER SYSTEM SET synchronous_commit = 'remote_write'",
    reset: 'ALTER SYSTEM RESET synchronous_commit',
    said: /synchronous_commit is remote_write/,
  },
  {
    set: 'ALTER DATABASE bank SET synchronous_commit = off',
    reset: 'ALTER DATABASE bank RESET synchronous_commit',
    said: /synchronous_commit is off for database bank/,
  },
  {
    set: "ALTER SYSTEM SET synchronous_standby_names = 'tidemark, another'",
    reset: 'ALTER SYSTEM RESET synchronous_standby_names',
    said: /1 of 2 standbys are enough/,
  },
  {
    set: "ALTER SYSTEM SET synchronous_standby_names = '*'",
    reset: 'ALTER SYSTEM RESET synchronous_standby_names',
    said: /any standby may answer/,
  },
  {
    set: "ALTER SYSTEM SET synchronous_standby_names = 'another'",
    reset: 'ALTER SYSTEM RESET synchronous_standby_names',
    said: /the agent is called tidemark.*a standby that is async/,
  },
  {
    set: "ALTER SYSTEM SET synchronous_standby_names = ''",
    reset: 'ALTER SYSTEM RESET synchronous_standby_names',
    said: /no commit waits/,
  },
] as const;

/** Changes a setting and lets it count. */
async function change(server: PostgresServer, statement: string): Promise<void> {
  await server.query(statement);
  await server.query('SELECT pg_reload_conf()');
}

/** Whether PostgreSQL takes a statement. */
async function takes(server: PostgresServer, statement: string): Promise<boolean> {
  try {
    await server.query(statement);
    return true;
  } catch {
    return false;
  }
}

describe('Synchronous mode', () => {
  const seed = seedFromEnvironment();
  let cluster: TidemarkCluster;
  let layout: BankLayout;

  before(async function () {
    this.timeout(180_000);
    cluster = await TidemarkCluster.create({
      shards: 2,
      dataCenters: ['east', 'west'],
      snapshotInterval: '1h',
      agentConfig: { synchronous: true },
      postgres: { walSegmentSizeMb: 1, settings: { fsync: 'on', synchronous_standby_names: 'tidemark' } },
    });
    layout = { accounts: ACCOUNTS, shards: cluster.shards.map(({ port }) => ({ host: '127.0.0.1', port })) };
    await createBank(layout);
    await cluster.cli.json(['backup', 'create'], 120_000);
    await waitFor('the mode is confirmed', async () =>
      (await cluster.status()).nodes.every(({ synchronous }) => synchronous === 'confirmed'),
    );
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  it('takes synchronous_standby_names as PostgreSQL takes it', async () => {
    const [shard] = cluster.shards;
    assert(shard !== undefined);
    const random = new SeededRandom(seed);
    const pieces = [
      'a',
      'tidemark',
      '"a b"',
      '"x""y"',
      '*',
      '"*"',
      '1',
      '2',
      '0',
      'ANY',
      'first',
      '(',
      ')',
      ',',
      ',',
      '-',
      'a$',
      'ö',
    ];
    let taken = 0;
    for (let round = 0; round < 400; round++) {
      const isList = random.chance(0.7);
      const body = Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces)).join(isList ? ', ' : ' ');
      const setting = random.chance(0.5) ? `${random.pick(['', '1', 'ANY 2', 'first 1', 'any 0'])} (${body})` : body;
      const isTaken = await takes(shard, `ALTER SYSTEM SET synchronous_standby_names = '${setting}'`);
      assert.equal(parseSynchronousStandbyNames(setting) !== null, isTaken, `seed ${seed}: ${setting}`);
      taken += isTaken ? 1 : 0;
    }
    assert(taken > 40 && taken < 360, `${taken} were taken`);
    await shard.query('ALTER SYSTEM RESET synchronous_standby_names');
  });

  it('lets a commit wait while the other data centre is stopped, and no longer', async function () {
    this.timeout(60_000);
    const leader = await cluster.leader();
    const follower = cluster.coordinators.find((coordinator) => coordinator !== leader);
    const [shard] = cluster.shards;
    const [address] = layout.shards;
    assert(follower !== undefined && shard !== undefined && address !== undefined);
    const client = await connectToShard(address);
    const waits = () =>
      shard.value<boolean>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')");
    try {
      await client.query('CREATE TABLE waited (n int)');
      follower.pause();
      let returned = false;
      const inserted = client.query('INSERT INTO waited VALUES (1)').then(() => {
        returned = true;
      });
      await waitFor('the commit waits', waits);
      // The leader's own copy is not enough.
      const insertedLsn = Number(await shard.value("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn"));
      const lag = `tidemark_copy_lag_bytes{node="${shard.name}",data_center="${leader.dataCenter}"}`;
      const flushed = `tidemark_node_flush_lsn_bytes{node="${shard.name}"}`;
      await waitFor('the leader has it', async () => {
        const metrics = await leader.metrics();
        return metrics.get(lag) === 0 && (metrics.get(flushed) ?? 0) >= insertedLsn;
      });
      assert((await waits()) && !returned);
      follower.resume();
      await inserted;
    } finally {
      follower.resume();
      await client.end();
    }
  });

  it(`says which setting voids the promise, and then takes no causal snapshots under load because of it (seed ${seed})`, async function () {
    this.timeout(150_000);
    const [shard] = cluster.shards;
    const [agent] = cluster.agents;
    assert(shard !== undefined && agent !== undefined);
    const confirmed = async () => (await agent.metrics()).get('tidemark_agent_synchronous');
    for (const { set, reset, said } of VOIDING) {
      await change(shard, set);
      await waitFor(set, async () => (await confirmed()) === 0 && said.test(agent.logTail()));
      await change(shard, reset);
      await waitFor(reset, async () => (await confirmed()) === 1);
    }
    await using load = new BankLoad(layout, { seed, clients: 6, abandonProbability: 0.02 });
    await waitFor('some work', () => load.acknowledged.length > 50);
    const take = () => cluster.cli.json<SnapshotJson>(['snapshot', 'create']);
    for (let taken = 0; taken < 5; taken++) assert.equal((await take()).class.kind, 'causal');
    await change(shard, "ALTER SYSTEM SET synchronous_commit = 'local'");
    await waitFor('it is said', async () => {
      const { nodes, problems } = await cluster.status();
      return (
        nodes[0]?.synchronous === 'unconfirmed' && problems.some((text) => /synchronous_commit is local/.test(text))
      );
    });
    await waitFor('a snapshot that is not causal', async () => (await take()).class.kind === 'bounded');
    await change(shard, 'ALTER SYSTEM RESET synchronous_commit');
    await waitFor('the mode is confirmed', async () => (await confirmed()) === 1);
  });

  it(`restores a snapshot of a busy cluster in order (seed ${seed})`, async function () {
    this.timeout(150_000);
    let acknowledged;
    let snapshot: SnapshotJson;
    {
      await using load = new BankLoad(layout, { seed: seed + 1, name: 'order', clients: 6, abandonProbability: 0.02 });
      await waitFor('some work', () => load.acknowledged.length > 100 && load.orderAcknowledged.every((n) => n > 5));
      acknowledged = [...load.acknowledged];
      snapshot = await cluster.cli.json<SnapshotJson>(['snapshot', 'create']);
    }
    assert.equal(snapshot.class.kind, 'causal');
    await using restored = await RestoredCluster.fromCoordinators(cluster, snapshot.id);
    // Without any allowance for the order.
    const bank = await restored.inspectBank(ACCOUNTS);
    assert.deepEqual(findLost(bank, acknowledged), []);
  });

  it(`loses nothing that was acknowledged when every server and a data centre are lost (seed ${seed})`, async function () {
    this.timeout(180_000);
    const leader = await cluster.leader();
    const other = cluster.coordinators.find((coordinator) => coordinator !== leader);
    assert(other !== undefined);
    await cluster.cli.json(['snapshot', 'create']);
    const load = new BankLoad(layout, { seed: seed + 2, name: 'loss', clients: 8, abandonProbability: 0.02 });
    try {
      await waitFor('some work', () => load.acknowledged.length > 200 && load.orderAcknowledged.every((n) => n > 10));
      await Promise.all(cluster.shards.map((shard) => shard.kill()));
    } finally {
      await load.stop();
    }
    const snapshot = await cluster.cli.json<SnapshotJson>(['snapshot', 'create']);
    assert(snapshot.complete);
    assert.equal(snapshot.class.kind, 'causal');
    await leader.kill();
    await leader.destroyRepository();
    await using restored = await RestoredCluster.fromRepository(cluster.shards, other.repositoryPath);
    assert.equal(restored.report.snapshot.id, snapshot.id);
    const bank = await restored.inspectBank(ACCOUNTS);
    assert.deepEqual(findLost(bank, load.acknowledged), []);
    for (const [writer, n] of load.orderAcknowledged.entries()) {
      for (const shard of [writer, (writer + 1) % restored.shards.length]) {
        const client = await connectToShard(restored.shards[shard] ?? assert.fail());
        const { rows } = await client.query<{ last: string }>(
          'SELECT coalesce(max(n), 0) AS last FROM order_log WHERE writer = $1',
          [writer],
        );
        await client.end();
        assert(Number(rows[0]?.last) >= n, `writer ${writer} on shard ${shard}`);
      }
    }
    console.log(
      `      ${load.acknowledged.length} transfers acknowledged, ${snapshot.in_doubt.length} branches in doubt`,
    );
  });
});
