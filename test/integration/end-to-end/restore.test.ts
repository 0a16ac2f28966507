import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { snapshotPath } from '../../../shared/repository/layout.ts';
import { decodeSnapshot, encodeSnapshot } from '../../../shared/repository/snapshot-manifest.ts';
import { findLost, inspectBank } from '../../support/bank/bank-check.ts';
import { BankLoad } from '../../support/bank/bank-load.ts';
import { createBank, type BankLayout } from '../../support/bank/bank-schema.ts';
import { findDamage } from '../../support/bank/index-check.ts';
import { seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../../support/cluster.ts';
import { RestoredCluster, type SnapshotJson } from '../../support/restored-cluster.ts';
import { waitFor } from '../../support/wait-for.ts';
import { compareWal } from '../../support/wal-comparison.ts';

const ACCOUNTS = 300;

describe('A sharded database', () => {
  const seed = seedFromEnvironment();
  let cluster: TidemarkCluster;
  let layout: BankLayout;
  let snapshot: SnapshotJson;
  let later: SnapshotJson;
  let acknowledgedBefore: BankLoad['acknowledged'];

  before(async function () {
    this.timeout(180_000);
    cluster = await TidemarkCluster.create({
      shards: 3,
      snapshotInterval: '1h',
      postgres: { walSegmentSizeMb: 1, settings: { wal_keep_size: '10GB' } },
    });
    layout = { accounts: ACCOUNTS, shards: cluster.shards.map(({ port }) => ({ host: '127.0.0.1', port })) };
    await createBank(layout);
    await cluster.leader();
    await using load = new BankLoad(layout, { seed, abandonProbability: 0.05, leftoverAgeMs: 60_000, noteLength: 300 });
    await waitFor('some work', () => load.acknowledged.length > 50);
    await cluster.cli.json(['backup', 'create'], 120_000);
    const before = load.acknowledged.length;
    await waitFor(
      'more work, and clients that died',
      () => load.acknowledged.length > before + 300 && load.abandoned > 5,
    );
    acknowledgedBefore = [...load.acknowledged];
    snapshot = await cluster.cli.json<SnapshotJson>(['snapshot', 'create', '--label', 'end-to-end']);
    const atSnapshot = load.acknowledged.length;
    await waitFor('work after the snapshot', () => load.acknowledged.length > atSnapshot + 100);
    later = await cluster.cli.json<SnapshotJson>(['snapshot', 'create', '--label', 'later']);
    await load.stop();
    await cluster.waitUntilAcknowledged();
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  /** Whole, as predicted, with everything from before the snapshot and not everything from after it. */
  async function check(restored: RestoredCluster): Promise<void> {
    assert.equal(restored.report.snapshot.id, snapshot.id);
    const bank = await restored.inspectBank(ACCOUNTS);
    assert.deepEqual(findLost(bank, acknowledgedBefore), []);
    assert.notEqual(snapshot.in_doubt.length, 0, 'clients died, so something is in doubt');
    assert.equal(restored.resolvedBranches, snapshot.in_doubt.length);
    const source = await inspectBank(layout);
    assert(bank.transfers < source.transfers, 'the snapshot lies before the end');
    for (const shard of restored.shards) assert.deepEqual(await findDamage(shard), []);
  }

  it(`is restored as one by the leader (seed ${seed})`, async function () {
    this.timeout(120_000);
    await using restored = await RestoredCluster.fromCoordinators(cluster, snapshot.id);
    await check(restored);
  });

  it(`has copies that equal PostgreSQL's own WAL in every data centre (seed ${seed})`, async () => {
    for (const shard of cluster.shards) {
      const systemIdentifier = await shard.systemIdentifier();
      for (const { repositoryPath } of cluster.coordinators) {
        const walDirectory = `${shard.dataDirectory}/pg_wal`;
        const copy = await compareWal(repositoryPath, shard.name, systemIdentifier, walDirectory);
        assert(copy.finishedSegments > 0, `${repositoryPath} has no finished segment of ${shard.name}`);
      }
    }
  });

  it(`is restored as one from one bare repository, with nothing else running (seed ${seed})`, async function () {
    this.timeout(120_000);
    for (const process of [...cluster.coordinators, ...cluster.agents]) await process.stop();
    for (const member of cluster.etcd?.members ?? []) await member.kill();
    const [, , repository] = cluster.coordinators;
    assert(repository !== undefined);
    await using restored = await RestoredCluster.fromRepository(cluster.shards, repository.repositoryPath, snapshot.id);
    await check(restored);
  });

  it(`would be seen to be torn, if each shard were restored to its own latest position (seed ${seed})`, async function () {
    this.timeout(120_000);
    const [repository] = cluster.coordinators;
    assert(repository !== undefined);
    const naive = await writeNaiveSnapshot(repository.repositoryPath, 'shard-0', snapshot.id, later.id);
    await using restored = await RestoredCluster.fromRepository(cluster.shards, repository.repositoryPath, naive);
    const bank = await inspectBank({ ...layout, shards: restored.shards });
    assert.notEqual(bank.torn.length, 0);
    assert.notEqual(bank.orderViolations.length, 0);
    assert.notEqual(bank.balance, bank.balanceExpected);
    await assert.rejects(restored.inspectBank(ACCOUNTS), /torn/);
  });
});

/**
 * Breaks the rule of the closed cut on purpose: as if the copy of one shard lagged, and every shard were simply taken where it was
 * received last. The in-doubt branches of each shard are those of its own position, so that only the bank can tell.
 */
async function writeNaiveSnapshot(
  repositoryPath: string,
  laggingNode: string,
  earlierId: string,
  laterId: string,
): Promise<string> {
  const read = async (id: string) => decodeSnapshot(await readFile(path.join(repositoryPath, snapshotPath(id))), id);
  const earlier = await read(earlierId);
  const latest = await read(laterId);
  const pick = <T extends { readonly node: string }>(ofEarlier: readonly T[], ofLater: readonly T[]): T[] => [
    ...ofEarlier.filter(({ node }) => node === laggingNode),
    ...ofLater.filter(({ node }) => node !== laggingNode),
  ];
  const id = `${laterId.slice(0, -4)}9999`;
  const naive = {
    ...latest,
    id,
    nodes: pick(earlier.nodes, latest.nodes),
    inDoubt: pick(earlier.inDoubt, latest.inDoubt),
  };
  await writeFile(path.join(repositoryPath, snapshotPath(id)), encodeSnapshot(naive));
  return id;
}
