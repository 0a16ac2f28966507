import assert from 'node:assert/strict';
import { formatLsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { PosixReader } from '../../../shared/repository/posix-reader.ts';
import { readContents } from '../../../shared/repository/repository-contents.ts';
import { SnapshotCatalogue } from '../../../shared/repository/snapshot-catalogue.ts';
import type { Snapshot } from '../../../shared/repository/snapshot-manifest.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import { JournalDecoder } from '../../../shared/wal-index/journal-decoder.ts';
import { decodeEvents } from '../../../shared/wal-index/transaction-event-codec.ts';
import { BankLoad } from '../../support/bank/bank-load.ts';
import { createBank, type BankLayout } from '../../support/bank/bank-schema.ts';
import { seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../../support/cluster.ts';
import { storedCodec } from '../../support/made-wal.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Every transaction event of every node, from a copy's files. */
async function readEvents(repositoryPath: string): Promise<ReadonlyMap<string, readonly TransactionEvent[]>> {
  const repository = await PosixReader.open(repositoryPath);
  // There are no base backups here, so nothing is decompressed.
  const { walObjects } = await readContents(repository, storedCodec);
  const byNode = new Map<string, Map<Lsn, TransactionEvent>>();
  for (const { path, stream } of walObjects) {
    const events = byNode.get(stream.node) ?? new Map<Lsn, TransactionEvent>();
    byNode.set(stream.node, events);
    const decoder = new JournalDecoder();
    for await (const chunk of repository.read(path)) {
      for (const { entry } of decoder.push(chunk)) {
        for (const event of decodeEvents(entry.events)) {
          if (event.seeded !== true) {
            events.set(event.lsn, event);
          }
        }
      }
    }
  }
  return new Map(
    [...byNode].map(([node, events]) => [node, [...events.values()].sort((a, b) => (a.lsn < b.lsn ? -1 : 1))]),
  );
}

/** One branch as its node's WAL tells it; the bank uses each GID once. */
interface Branch {
  readonly node: string;
  readonly gid: string;
  readonly prepareLsn: Lsn;
  readonly end: TransactionEvent | undefined;
}

function branchesOf(events: ReadonlyMap<string, readonly TransactionEvent[]>): Map<string, Branch[]> {
  const byGid = new Map<string, Branch[]>();
  for (const [node, list] of events) {
    for (const prepare of list.filter(({ kind }) => kind === 'prepare')) {
      const end = list.find(
        ({ kind, xid, lsn }) =>
          (kind === 'commit-prepared' || kind === 'rollback-prepared') && xid === prepare.xid && lsn > prepare.lsn,
      );
      const gid = prepare.gid ?? '';
      byGid.set(gid, [...(byGid.get(gid) ?? []), { node, gid, prepareLsn: prepare.lsn, end }]);
    }
  }
  return byGid;
}

/** The transactions with a commit in the cut and a PREPARE outside of it. `targets` are inclusive. */
function torn(byGid: ReadonlyMap<string, readonly Branch[]>, targets: ReadonlyMap<string, Lsn>): string[] {
  const holds = (node: string, lsn: Lsn) => lsn <= (targets.get(node) ?? 0n);
  return [...byGid.values()]
    .filter((branches) => branches.some(({ node, end }) => end?.kind === 'commit-prepared' && holds(node, end.lsn)))
    .filter((branches) => !branches.every(({ node, prepareLsn }) => holds(node, prepareLsn)))
    .map(([branch]) => branch?.gid ?? '');
}

function inDoubtAt(byGid: ReadonlyMap<string, readonly Branch[]>, targets: ReadonlyMap<string, Lsn>): string[] {
  const holds = (node: string, lsn: Lsn) => lsn <= (targets.get(node) ?? 0n);
  return [...byGid.values()]
    .flatMap((branches) => {
      const committed = branches.some(({ node, end }) => end?.kind === 'commit-prepared' && holds(node, end.lsn));
      return branches
        .filter(({ node, prepareLsn, end }) => holds(node, prepareLsn) && !(end !== undefined && holds(node, end.lsn)))
        .map(
          ({ node, gid, prepareLsn }) => `${node} ${formatLsn(prepareLsn)} ${gid} ${committed ? 'commit' : 'rollback'}`,
        );
    })
    .sort();
}

const targetsOf = (snapshot: Snapshot) => new Map(snapshot.nodes.map(({ node, targetLsn }) => [node, targetLsn]));

describe('snapshots under load', () => {
  const seed = seedFromEnvironment();

  it(`are closed, resolved and durable; the nodes' own positions are not (seed ${seed})`, async function () {
    this.timeout(180_000);
    await using cluster = await TidemarkCluster.create({
      shards: 2,
      dataCenters: ['east'],
      coordination: 'embedded',
      snapshotInterval: '100ms',
      postgres: { walSegmentSizeMb: 1, settings: { wal_keep_size: '10GB' } },
    });
    const layout: BankLayout = {
      accounts: 100,
      shards: cluster.shards.map(({ port }) => ({ host: '127.0.0.1', port })),
    };
    await createBank(layout);
    await cluster.leader();
    const [coordinator] = cluster.coordinators;
    assert(coordinator !== undefined);
    const naive: Map<string, Lsn>[] = [];
    {
      await using load = new BankLoad(layout, {
        seed,
        clients: 8,
        acrossProbability: 0.9,
        abandonProbability: 0.05,
        leftoverAgeMs: 800,
      });
      await waitFor('some work', () => load.acknowledged.length > 20);
      for (let round = 0; round < 40; round += 1) {
        const targets = new Map<string, Lsn>();
        for (const shard of round % 2 === 0 ? cluster.shards : cluster.shards.toReversed()) {
          targets.set(shard.name, parseLsn(await shard.value('SELECT pg_current_wal_insert_lsn()::text')));
          // The nodes are not asked at one moment, as they would not be when each has its own backup.
          const asked = load.acknowledged.length;
          await waitFor('work meanwhile', () => load.acknowledged.length >= asked + 3);
        }
        naive.push(targets);
        const known = load.acknowledged.length;
        await waitFor('more work', () => load.acknowledged.length >= known + 10);
      }
      await waitFor('clients that died', () => load.abandoned > 3);
      // What is finished while a node is away is forgotten, and what it shows of it later is right all the same.
      const [, away] = cluster.agents;
      const catalogue = new SnapshotCatalogue(await PosixReader.open(coordinator.repositoryPath));
      const incomplete = async () => (await catalogue.list(10)).filter(({ complete }) => !complete).length;
      await away?.kill();
      const worked = load.acknowledged.length;
      await waitFor('snapshots without it', async () => (await incomplete()) === 10);
      assert(load.acknowledged.length > worked + 10, 'the clients went on');
      await away?.start();
      await waitFor('snapshots with it', async () => (await incomplete()) === 0);
      await load.stop();
    }
    const latest = await cluster.cli.json<{ id: string; class: { kind: string } }>(['snapshot', 'create']);
    await cluster.waitUntilAcknowledged();

    const events = await readEvents(coordinator.repositoryPath);
    assert.deepEqual([...events.keys()].sort(), ['shard-0', 'shard-1']);
    const byGid = branchesOf(events);
    const catalogue = new SnapshotCatalogue(await PosixReader.open(coordinator.repositoryPath));
    // Before the second node has made itself known, the cluster has one.
    const snapshots = (await catalogue.list()).filter(({ complete, nodes }) => complete && nodes.length === 2);
    assert(snapshots.length > 20, `only ${snapshots.length} snapshots`);
    assert(snapshots.some(({ id }) => id === latest.id));
    assert.equal(latest.class.kind, 'causal', 'nothing was going on');
    for (const snapshot of snapshots) {
      const targets = targetsOf(snapshot);
      assert.deepEqual(torn(byGid, targets), [], `snapshot ${snapshot.id} is torn`);
      assert.deepEqual(
        snapshot.inDoubt
          .map(({ node, gid, prepareLsn, decision }) => `${node} ${formatLsn(prepareLsn)} ${gid} ${decision}`)
          .sort(),
        inDoubtAt(byGid, targets),
        `snapshot ${snapshot.id}`,
      );
      assert.deepEqual(snapshot.broken, []);
    }
    const later = [...snapshots].reverse();
    for (const [index, snapshot] of later.entries()) {
      for (const { node, targetLsn } of later[index - 1]?.nodes ?? []) {
        assert(targetLsn <= (targetsOf(snapshot).get(node) ?? 0n), `${snapshot.id} goes back on ${node}`);
      }
    }
    const decided = snapshots.flatMap(({ inDoubt }) => inDoubt.map(({ decision }) => decision));
    assert(decided.includes('commit') && decided.includes('rollback'), 'both decisions were needed');
    // The same check on what each node said about itself: it is the closed cut that makes the difference.
    const open = naive.filter((targets) => torn(byGid, targets).length > 0);
    assert(open.length > 0, 'no naive vector was torn: the check may not see it');
    const causal = snapshots.filter((snapshot) => snapshot.class.kind === 'causal').length;
    const bounds = snapshots.flatMap((snapshot) => (snapshot.class.kind === 'bounded' ? [snapshot.class.boundUs] : []));
    console.log(
      `        ${snapshots.length} snapshots, ${causal} causal, bounds ${Math.min(...bounds)} to ${Math.max(...bounds)} µs, ` +
        `${decided.length} branches in doubt, ${byGid.size} transactions; ${open.length} of ${naive.length} naive vectors torn`,
    );
  });
});
