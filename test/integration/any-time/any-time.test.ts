import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { BankLoad } from '../../support/bank/bank-load.ts';
import { createBank, type BankLayout } from '../../support/bank/bank-schema.ts';
import { SeededRandom, seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../../support/cluster.ts';
import { DisposalStack } from '../../support/disposal-stack.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { orderBoundMs, RestoredCluster, type SnapshotJson } from '../../support/restored-cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

const ACCOUNTS = 300;
/** By which the shards' clocks are ahead of everybody else's. */
const CLOCKS_AHEAD_MS = [5_000, -40, 40];
/** A commit is acknowledged this much after it was written, at most, as clients here see it. */
const ANSWER_MS = 1_000;

describe('Any time, with clocks that stand apart', () => {
  const seed = seedFromEnvironment();
  const random = new SeededRandom(seed);
  const stack = new DisposalStack();
  let cluster: TidemarkCluster;
  let load: BankLoad;
  let fromMs = 0;
  let untilMs = 0;

  before(async function () {
    this.timeout(180_000);
    const shards: PostgresServer[] = [];
    for (const [number, clockAheadMs] of CLOCKS_AHEAD_MS.entries()) {
      shards.push(
        stack.use(await PostgresServer.create({ name: `shard-${number}`, walSegmentSizeMb: 1, clockAheadMs })),
      );
    }
    cluster = stack.use(
      await TidemarkCluster.create({ shards, dataCenters: ['east', 'west'], snapshotInterval: '3s' }),
    );
    const layout: BankLayout = {
      accounts: ACCOUNTS,
      shards: shards.map(({ port }) => ({ host: '127.0.0.1', port })),
      gids: 'xa',
    };
    await createBank(layout);
    load = new BankLoad(layout, { seed, abandonProbability: 0.05, noteLength: 200 });
    try {
      await waitFor('some work', () => load.acknowledged.length > 50);
      await cluster.cli.json(['backup', 'create'], 120_000);
      fromMs = Date.now();
      const before = load.acknowledged.length;
      await waitFor('more work', () => load.acknowledged.length > before + 500 && Date.now() > fromMs + 8_000);
      untilMs = Date.now();
      await delay(500);
    } finally {
      await load.stop();
    }
    await cluster.waitUntilAcknowledged();
  });

  after(async () => {
    await stack[Symbol.asyncDispose]();
  });

  const someTime = () => Math.round(fromMs + 300 + random.next() * (untilMs - fromMs - 300));

  /** Whole, as predicted, with nothing that began later, and everything that was done long enough before. */
  async function check(restored: RestoredCluster, timeMs: number, shown: SnapshotJson): Promise<void> {
    const { snapshot } = restored.report;
    assert.equal(Date.parse(snapshot.time), timeMs);
    assert.deepEqual(snapshot.in_doubt, shown.in_doubt);
    assert.equal(restored.resolvedBranches, shown.in_doubt.length);
    // Sums, torn transfers, prepared transactions, and the order within what the class promises.
    const bank = await restored.inspectBank(ACCOUNTS);
    for (const { transferId, atMs } of load.attempts) {
      assert(atMs <= timeMs || !bank.transferIds.has(transferId), `${transferId} began ${atMs - timeMs} ms later`);
    }
    const slackMs = orderBoundMs(snapshot) + ANSWER_MS;
    for (const { transferId, atMs } of load.acknowledged) {
      assert(
        atMs > timeMs - slackMs || bank.transferIds.has(transferId),
        `${transferId}, done long before, is missing`,
      );
    }
    assert(orderBoundMs(snapshot) < 1_000, `a bound of ${orderBoundMs(snapshot)} ms`);
  }

  for (const number of [1, 2]) {
    it(`is restored by the leader, time ${number} (seed ${seed})`, async function () {
      this.timeout(120_000);
      const timeMs = someTime();
      const time = new Date(timeMs).toISOString();
      const shown = await cluster.cli.json<SnapshotJson>(['snapshot', 'at', time]);
      assert(shown.restorable);
      await using restored = await RestoredCluster.fromCoordinators(cluster, { time });
      await check(restored, timeMs, shown);
    });
  }

  it('reaches up to now, as the status says', async () => {
    const { recoverable } = await cluster.cli.json<{ recoverable: { from: string; to: string } }>(['status']);
    assert(Date.parse(recoverable.to) > Date.now() - 5_000, recoverable.to);
    const shown = await cluster.cli.json<SnapshotJson>(['snapshot', 'at', recoverable.to]);
    assert(shown.restorable);
  });

  it('refuses a time that is not told yet, is too early or has no zone', async () => {
    const refused = async (time: string) => (await cluster.cli.run(['snapshot', 'at', time])).stderr;
    assert.match(await refused(new Date(Date.now() + 30_000).toISOString()), /cannot be told yet.*\n.*latest time/s);
    assert.match(await refused('2020-01-01T00:00:00Z'), /is held from/);
    assert.match(await refused('2026-01-01T00:00:00'), /no time zone/);
    assert.match(await refused('2126-01-01T00:00:00Z'), /future/);
  });

  it(`is restored from one bare repository, with nothing else running, to the last moment (seed ${seed})`, async function () {
    this.timeout(120_000);
    const timeMs = untilMs;
    const time = new Date(timeMs).toISOString();
    const shown = await cluster.cli.json<SnapshotJson>(['snapshot', 'at', time]);
    for (const process of [...cluster.coordinators, ...cluster.agents]) await process.stop();
    const [, repository] = cluster.coordinators;
    assert(repository !== undefined);
    await using restored = await RestoredCluster.fromRepository(cluster.shards, repository.repositoryPath, { time });
    await check(restored, timeMs, shown);
  });
});
