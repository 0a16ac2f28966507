import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { parseLsn } from '../../shared/postgres/lsn.ts';
import { findLost } from '../support/bank/bank-check.ts';
import { BankLoad, type Acknowledgement } from '../support/bank/bank-load.ts';
import { createBank, type BankLayout } from '../support/bank/bank-schema.ts';
import { SeededRandom, seedFromEnvironment } from '../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../support/cluster.ts';
import { RestoredCluster, type SnapshotJson } from '../support/restored-cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { compareWal } from '../support/wal-comparison.ts';

const ROUNDS = Number(process.env['TIDEMARK_FAULT_ROUNDS'] ?? 6);
const RESTORE_EVERY = Number(process.env['TIDEMARK_FAULT_RESTORE_EVERY'] ?? 5);
const ACCOUNTS = 300;
const VICTIMS = ['agent', 'leader', 'follower', 'postgres', 'everything of a shard'] as const;

describe('SIGKILL at random moments under load', () => {
  const seed = seedFromEnvironment();

  it(`leaves every copy whole, and every restore too (${ROUNDS} rounds, seed ${seed})`, async function () {
    this.timeout(120_000 + ROUNDS * 60_000);
    const random = new SeededRandom(seed);
    await using cluster = await TidemarkCluster.create({
      shards: 2,
      snapshotInterval: '2s',
      // everything is kept, to compare the copies with
      postgres: { walSegmentSizeMb: 1, settings: { wal_keep_size: '20GB', max_wal_size: '256MB' } },
    });
    const layout: BankLayout = {
      accounts: ACCOUNTS,
      shards: cluster.shards.map(({ port }) => ({ host: '127.0.0.1', port })),
    };
    await createBank(layout);
    await cluster.leader();
    await cluster.cli.json(['backup', 'create'], 60_000);
    await using load = new BankLoad(layout, {
      seed,
      transfersPerSecond: 150,
      abandonProbability: 0.02,
      noteLength: 300,
    });

    for (let round = 1; round <= ROUNDS; round++) {
      await delay(random.below(1500)); // a random moment
      const victim = random.pick(VICTIMS);
      const name = await killAndRestart(cluster, victim, random);
      console.log(`      round ${round}: ${name}`);
      await cluster.waitUntilAcknowledged();
      if (round % RESTORE_EVERY === 0 || round === ROUNDS) {
        const acknowledged = [...load.acknowledged];
        const snapshot = await waitFor('a complete snapshot', async () => {
          const taken = await cluster.cli.json<SnapshotJson>(['snapshot', 'create', '--label', `round-${round}`]);
          return taken.complete ? taken : null;
        });
        await using restored = await RestoredCluster.fromCoordinators(cluster, snapshot.id);
        const bank = await restored.inspectBank(ACCOUNTS);
        assertNothingLost(findLost(bank, acknowledged), snapshot);
        assert.equal(restored.resolvedBranches, snapshot.in_doubt.length);
        console.log(`      restored ${snapshot.id}: ${bank.transfers} transfers, ${snapshot.in_doubt.length} in doubt`);
      }
    }

    await load.stop();
    assert(load.acknowledged.length > 0);
    await cluster.waitUntilAcknowledged();
    const acknowledged = await cluster.slotPositions();
    await waitForFollowers(cluster, acknowledged);
    // nothing moves while the files are read
    await Promise.all(cluster.coordinators.map((coordinator) => coordinator.kill()));
    for (const [number, shard] of cluster.shards.entries()) {
      const systemIdentifier = await shard.systemIdentifier();
      const walDirectory = `${shard.dataDirectory}/pg_wal`;
      let holding = 0;
      for (const { repositoryPath } of cluster.coordinators) {
        const copy = await compareWal(repositoryPath, shard.name, systemIdentifier, walDirectory);
        assert(copy.finishedSegments > 0, `${repositoryPath}: no finished segment of ${shard.name}`);
        if (copy.endLsn >= (acknowledged[number] ?? 0n)) holding += 1;
      }
      assert(holding >= 2, `${shard.name}: only ${holding} copies hold what was acknowledged`);
    }
  });
});

/** Nothing that was acknowledged before the snapshot began. */
function assertNothingLost(lost: readonly Acknowledgement[], snapshot: SnapshotJson): void {
  const times = lost.map(({ atMs }) => Date.parse(snapshot.time) - atMs);
  assert.equal(
    lost.length,
    0,
    `${lost.length} transfers, acknowledged ${Math.min(...times)} to ${Math.max(...times)} ms before the snapshot ` +
      `${snapshot.id}, are not in it: ${lost[0]?.transferId} …`,
  );
}

async function killAndRestart(
  cluster: TidemarkCluster,
  victim: (typeof VICTIMS)[number],
  random: SeededRandom,
): Promise<string> {
  const shard = random.pick(cluster.shards);
  const agent = cluster.agents.find(({ node }) => node === shard.name);
  assert(agent !== undefined);
  const downMs = random.below(1000);
  switch (victim) {
    case 'agent':
      await agent.kill();
      await delay(downMs);
      await agent.start();
      return `${agent.name}, ${downMs} ms`;
    case 'leader':
    case 'follower': {
      const leader = await cluster.leader();
      const others = cluster.coordinators.filter((coordinator) => coordinator !== leader);
      const coordinator = victim === 'leader' ? leader : random.pick(others);
      await coordinator.kill();
      await delay(downMs);
      await coordinator.start();
      return `${coordinator.name} (${victim}), ${downMs} ms`;
    }
    case 'postgres':
      await shard.kill();
      await delay(downMs);
      await shard.start();
      return `${shard.name}, ${downMs} ms`;
    case 'everything of a shard':
      await Promise.all([shard.kill(), agent.kill()]);
      await delay(downMs);
      await Promise.all([shard.start(), agent.start()]);
      return `${shard.name} and its agent, ${downMs} ms`;
  }
}

/** Until every data centre holds at least what was acknowledged. */
async function waitForFollowers(cluster: TidemarkCluster, wanted: readonly bigint[]): Promise<void> {
  await waitFor('every copy has caught up', async () => {
    const { nodes } = await cluster.status();
    return cluster.shards.every((shard, number) =>
      nodes
        .find(({ node }) => node === shard.name)
        ?.copies.every((copy) => parseLsn(copy.durable_lsn) >= (wanted[number] ?? 0n)),
    );
  });
}
