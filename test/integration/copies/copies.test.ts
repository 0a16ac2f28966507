import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { RemoteRepository } from '../../../shared/repository/remote-repository.ts';
import {
  backupManifestPath,
  backupPackPath,
  backupPrefix,
  historyPath,
  snapshotPath,
} from '../../../shared/repository/layout.ts';
import { openChannel } from '../../../shared/rpc/channel.ts';
import { lsn, NO_LSN, type Lsn } from '../../../shared/postgres/lsn.ts';
import { followWal, getPeerState } from '../../../coordinator/copies/peer-client.ts';
import type { WalStore } from '../../../coordinator/journal/wal-store.ts';
import { CopiesCluster, type MadeCoordinator } from '../../support/copies-cluster.ts';
import { MadeAgent } from '../../support/made-agent.ts';
import { madeWal, storedCodec } from '../../support/made-wal.ts';
import { rejectsWithCode } from '../../support/rejects-with-code.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';

const SEGMENT_BYTES = 1024 * 1024;
const START = 0x100_0000n;
const CENTERS = new Map([
  ['c1', 'east'],
  ['c2', 'west'],
  ['c3', 'north'],
]);
const STREAM = { node: 'shard1', systemIdentifier: '7123', timeline: 1 };

function makeAgent(random: () => number, node = 'shard1'): MadeAgent {
  return new MadeAgent({
    node,
    systemIdentifier: '7123',
    segmentBytes: SEGMENT_BYTES,
    startLsn: START + 12_345n,
    random,
    changeSetBytesMax: 60_000,
  });
}

/** The held WAL is gapless and equal to its source. */
async function checkCopy(store: WalStore, stream = STREAM): Promise<void> {
  const position = store.position(stream);
  assert.ok(position !== null);
  const stop = new AbortController();
  let at: Lsn = position.firstLsn;
  for await (const changeSet of store.read(stream, NO_LSN, stop.signal)) {
    assert.equal(changeSet.startLsn, at);
    const content = await storedCodec.decompress(changeSet.frame, Number(changeSet.endLsn - changeSet.startLsn));
    assert.ok(content.equals(madeWal(at, changeSet.endLsn)), `${at} differs`);
    at = changeSet.endLsn;
    if (at >= position.durableLsn) break;
  }
  assert.ok(at >= position.durableLsn);
}

function held(coordinator: MadeCoordinator, stream = STREAM): Lsn {
  return coordinator.store.position(stream)?.durableLsn ?? NO_LSN;
}

describe('copies of WAL', function () {
  this.timeout(120_000);

  it('are acknowledged to the agent when two data centres have them, and are equal to the source', async () => {
    await using directory = TemporaryDirectory.create('copies');
    const random = new SeededRandom(1);
    const agents = [makeAgent(() => random.next()), makeAgent(() => random.next(), 'shard2')];
    for (const agent of agents) await agent.listen();
    const instances = () => agents.map(({ instance }) => instance);
    {
      await using cluster = new CopiesCluster({
        directory: directory.path,
        dataCenters: CENTERS,
        copiesRequired: 2,
        instances,
      });
      await cluster.start('c1');
      cluster.elect('c1');
      for (const agent of agents) agent.endLsn = lsn(START + 3_000_000n);
      await waitFor('the leader has it', () => held(cluster.get('c1')) === agents[0]?.endLsn);
      assert.equal(cluster.get('c1').tracker.acknowledged(STREAM), NO_LSN, 'one copy is not two');
      await cluster.start('c2', 'c3');
      for (const agent of agents) {
        await waitFor('it is acknowledged', () => agent.acknowledgedLsn === agent.endLsn);
      }
      await waitFor('all have it', () => cluster.running.every((one) => held(one) === agents[0]?.endLsn));
      for (const { store } of cluster.running) {
        await store.finished();
        await checkCopy(store);
        await checkCopy(store, { ...STREAM, node: 'shard2' });
      }
      const [status] = cluster.get('c1').ingest.status();
      assert.equal(status?.state, 'streaming', status?.problem);
      assert.equal(status.lagBytes, 0);
      const channels = ['c2', 'c3'].map((id) => openChannel(cluster.get(id).address));
      try {
        const remote = new RemoteRepository({ channels });
        const paths: string[] = [];
        for await (const { path } of remote.list('')) paths.push(path);
        assert.deepEqual(paths, paths.toSorted());
        assert.ok(paths.includes('nodes/shard1/7123/wal/00000001/000000010000000000000010.zst'), paths.join('\n'));
        const journal = paths.find((path) => path.startsWith('journal/shard2/')) ?? assert.fail(paths.join('\n'));
        let bytes = 0;
        for await (const chunk of remote.read(journal, { offsetBytes: 10, lengthBytes: 100 })) bytes += chunk.length;
        assert.equal(bytes, 100);
        assert.equal(await remote.stat('nodes/none'), null);
        await cluster.crash('c2');
        assert.ok((await remote.stat(journal)) !== null, 'the other coordinator answers');
        await assert.rejects(remote.stat('../tidemark.json'), /leaves its place/);
      } finally {
        for (const channel of channels) channel.close();
      }
    }
    for (const agent of agents) await agent.stop();
  });

  it('do not count twice in one data centre, and a zombie acknowledges nothing', async () => {
    await using directory = TemporaryDirectory.create('copies');
    const agent = makeAgent(Math.random);
    await agent.listen();
    const dataCenters = new Map([
      ['c1', 'east'],
      ['c2', 'west'],
      ['c3', 'west'],
    ]);
    {
      await using cluster = new CopiesCluster({
        directory: directory.path,
        dataCenters,
        copiesRequired: 2,
        instances: () => [agent.instance],
      });
      await cluster.start('c2', 'c3');
      cluster.elect('c2');
      agent.endLsn = lsn(START + 500_000n);
      await waitFor('both have it', () => cluster.running.every((one) => held(one) === agent.endLsn));
      assert.equal(agent.acknowledgedLsn, START + 12_345n);
      await cluster.start('c1');
      await waitFor('it is acknowledged', () => agent.acknowledgedLsn === agent.endLsn);
      // c2 goes on as if it led still; c1 is elected.
      cluster.elect('c1');
      agent.endLsn = lsn(START + 900_000n);
      await waitFor('the new leader acknowledges', () => agent.acknowledgedLsn === agent.endLsn);
      await waitFor('the zombie has noticed', () => !cluster.get('c2').isLeading);
      assert.equal(cluster.get('c2').tracker.term, null);
      for (const { store } of cluster.running) await checkCopy(store);
    }
    await agent.stop();
  });

  it('are taken over from the one that has most, while no agent answers', async () => {
    await using directory = TemporaryDirectory.create('copies');
    const agent = makeAgent(Math.random);
    await agent.listen();
    await using cluster = new CopiesCluster({
      directory: directory.path,
      dataCenters: CENTERS,
      copiesRequired: 2,
      instances: () => [agent.instance],
    });
    await cluster.start('c1', 'c2');
    cluster.elect('c1');
    agent.endLsn = lsn(START + 1_700_000n);
    await waitFor('it is acknowledged', () => agent.acknowledgedLsn === agent.endLsn);
    await agent.stop();
    await cluster.crash('c1');
    await cluster.destroy('c1');
    await cluster.start('c3');
    cluster.elect('c3');
    await waitFor('c3 has it', () => held(cluster.get('c3')) === agent.endLsn);
    await checkCopy(cluster.get('c3').store);
    await waitFor('two copies count', () => cluster.get('c3').tracker.acknowledged(STREAM) === agent.endLsn);
    await waitFor('the status says so', () => cluster.get('c3').ingest.status()[0]?.state === 'unreachable');
  });

  it('are not counted, nor peers asked, in another term than that of the leader', async () => {
    await using directory = TemporaryDirectory.create('copies');
    const agent = makeAgent(Math.random);
    await agent.listen();
    {
      await using cluster = new CopiesCluster({
        directory: directory.path,
        dataCenters: CENTERS,
        copiesRequired: 2,
        instances: () => [agent.instance],
      });
      await cluster.start('c1');
      cluster.elect('c1');
      cluster.elect('c1');
      agent.endLsn = lsn(START + 100_000n);
      await waitFor('the leader has it', () => held(cluster.get('c1')) === agent.endLsn);
      const channel = openChannel(cluster.get('c1').address);
      try {
        const { signal } = new AbortController();
        const follow = async (term: bigint, coordinatorId = 'c9'): Promise<void> => {
          const fence = { term, coordinatorId };
          const call = followWal(channel, { fence, dataCenter: 'south', stream: STREAM, fromLsn: NO_LSN, signal });
          await call.sendDurable(lsn(START + 100_000n));
          for await (const message of call.messages) {
            if (message.kind === 'change-set' && message.changeSet.endLsn === agent.endLsn) return;
          }
        };
        await rejectsWithCode(follow(1n), 'TM-LEAD-002');
        await rejectsWithCode(follow(2n, 'c1'), 'TM-USAGE-001');
        await follow(0n);
        await getPeerState(channel, { term: 2n, coordinatorId: 'c9' }, 5_000, signal);
        await rejectsWithCode(getPeerState(channel, { term: 1n, coordinatorId: 'c9' }, 5_000, signal), 'TM-LEAD-002');
        assert.equal(agent.acknowledgedLsn, START + 12_345n);
        await rejectsWithCode(follow(7n), 'TM-LEAD-002');
        await rejectsWithCode(follow(2n), 'TM-LEAD-002');
        assert.equal((await getPeerState(channel, { term: 0n, coordinatorId: 'c9' }, 5_000, signal)).highestTerm, 7n);
      } finally {
        channel.close();
      }
    }
    await agent.stop();
  });

  it('follow a timeline to the next, and keep its history', async () => {
    await using directory = TemporaryDirectory.create('copies');
    const agent = makeAgent(Math.random);
    await agent.listen();
    {
      await using cluster = new CopiesCluster({
        directory: directory.path,
        dataCenters: CENTERS,
        copiesRequired: 2,
        instances: () => [agent.instance],
      });
      await cluster.start('c1', 'c2', 'c3');
      cluster.elect('c1');
      agent.endLsn = lsn(START + 1_500_000n);
      await waitFor('the first is acknowledged', () => agent.acknowledgedLsn === agent.endLsn);
      agent.timelineEnd = { endLsn: agent.endLsn, nextTimeline: 2 };
      agent.timeline = 2;
      agent.endLsn = lsn(START + 2_500_000n);
      const next = { ...STREAM, timeline: 2 };
      await waitFor('all follow', () => cluster.running.every((one) => held(one, next) === agent.endLsn));
      assert.equal(held(cluster.get('c2')), START + 1_500_000n);
      assert.equal(cluster.get('c3').store.position(next)?.firstLsn, START + 0x10_0000n);
      const path = historyPath('shard1', '7123', 2);
      await waitFor('all have the history', async () => {
        const found = await Promise.all(cluster.running.map(({ repository }) => repository.stat(path)));
        return found.every((entry) => entry !== null);
      });
    }
    await agent.stop();
  });

  it('of objects reach every data centre, a backup never before its packs', async () => {
    await using directory = TemporaryDirectory.create('copies');
    await using cluster = new CopiesCluster({
      directory: directory.path,
      dataCenters: CENTERS,
      copiesRequired: 3,
      instances: () => [],
    });
    await cluster.start('c1', 'c2');
    const { repository, tracker } = cluster.get('c1');
    const other = cluster.get('c2').repository;
    const manifest = backupManifestPath('shard1', '7123', 'b1');
    const packs = [0, 1, 2].map((number) => backupPackPath('shard1', '7123', 'b1', number));
    other.onCreated((path) => {
      if (path !== manifest) return;
      void Promise.all(packs.map((pack) => other.stat(pack))).then((found) =>
        assert.ok(found.every((one) => one !== null)),
      );
    });
    for (const pack of packs) await repository.create(pack, Buffer.alloc(300_000, pack));
    await repository.create(manifest, Buffer.from('{}'));
    await repository.create(snapshotPath('20261122T121530123Z-0001'), Buffer.from('{}'));
    await waitFor('two hold it', () => tracker.objectCopies(manifest).length === 2);
    const waiting = tracker.waitForObject(manifest, new AbortController().signal);
    await cluster.start('c3');
    assert.deepEqual(await waiting, ['east', 'north', 'west']);
    await tracker.waitForObject(snapshotPath('20261122T121530123Z-0001'), new AbortController().signal);
    for (const { repository } of cluster.running) {
      for (const path of [...packs, manifest]) assert.ok((await repository.stat(path)) !== null);
    }
  });

  it('of packs are spread by the one who takes their backup, and nobody else before it is whole', async () => {
    await using directory = TemporaryDirectory.create('copies');
    await using cluster = new CopiesCluster({
      directory: directory.path,
      dataCenters: CENTERS,
      copiesRequired: 3,
      instances: () => [],
    });
    await cluster.start('c1', 'c2');
    const { repository, tracker, unfinished } = cluster.get('c1');
    const left = backupPackPath('shard1', '7123', 'b0', 0);
    const taken = backupPackPath('shard1', '7123', 'b1', 0);
    await repository.create(left, Buffer.alloc(1000));
    const ended = unfinished.begin(backupPrefix('shard1', '7123', 'b1'));
    await repository.create(taken, Buffer.alloc(1000));
    await waitFor('two hold it', () => tracker.objectCopies(taken).length === 2);
    await cluster.start('c3');
    await tracker.waitForObject(taken, new AbortController().signal);
    for (const id of ['c2', 'c3']) assert.equal(await cluster.get(id).repository.stat(left), null);
    ended();
    await cluster.crash('c3');
    await cluster.destroy('c3');
    const snapshot = snapshotPath('20261122T121530123Z-0001');
    await repository.create(snapshot, Buffer.from('{}'));
    await cluster.start('c3');
    const { repository: fresh } = cluster.get('c3');
    await waitFor('it has what is whole', async () => (await fresh.stat(snapshot)) !== null);
    for (const pack of [left, taken]) assert.equal(await fresh.stat(pack), null);
  });

  it('lose nothing that was acknowledged, whoever dies and whichever one copy is lost', async () => {
    const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? randomInt(1_000_000));
    const random = new SeededRandom(seed);
    const rounds = Number(process.env['TIDEMARK_TEST_ROUNDS'] ?? 8);
    const ids = [...CENTERS.keys()];
    await using directory = TemporaryDirectory.create('copies');
    const agent = makeAgent(() => random.next());
    await agent.listen();
    const log: string[] = [];
    try {
      await using cluster = new CopiesCluster({
        directory: directory.path,
        dataCenters: CENTERS,
        copiesRequired: 2,
        instances: () => [agent.instance],
      });
      await cluster.start(...ids);
      let leader = random.pick(ids);
      cluster.elect(leader);
      for (let round = 0; round < rounds; round++) {
        const wanted = lsn(agent.endLsn + BigInt(random.below(1_500_000)));
        agent.endLsn = wanted;
        // Anywhere between nothing and all of it has arrived when it happens.
        const part = agent.acknowledgedLsn + ((wanted - agent.acknowledgedLsn) * BigInt(random.below(100))) / 100n;
        await waitFor('some of it is acknowledged', () => agent.acknowledgedLsn >= part, {
          intervalMs: 1,
          timeoutMs: 10_000,
        });
        const victim = random.pick(ids);
        const isLost = random.below(2) === 0;
        log.push(`round ${round}: ${leader} leads, ${victim} dies${isLost ? ' and its copy is lost' : ''}`);
        await cluster.crash(victim);
        const promised = agent.acknowledgedLsn;
        if (isLost) await cluster.destroy(victim);
        const left = ids.filter((id) => id !== victim);
        assert.ok(
          left.some((id) => held(cluster.get(id)) >= promised),
          `nobody holds what was acknowledged: ${log.join('\n')}`,
        );
        const isBackFirst = random.below(2) === 0;
        if (isBackFirst) await cluster.start(victim);
        if (victim === leader || random.below(3) === 0) {
          leader = random.pick(isBackFirst ? ids : left);
          log.push(`${leader} is elected${isBackFirst ? ', the other one is back' : ''}`);
          cluster.elect(leader);
        }
        await waitFor(`all is acknowledged (seed ${seed})\n${log.join('\n')}`, () => agent.acknowledgedLsn === wanted);
        if (!isBackFirst) await cluster.start(victim);
        // Only one copy may be lost at a time.
        await waitFor(`all copies are level (seed ${seed})\n${log.join('\n')}`, () =>
          cluster.running.every((one) => held(one) === wanted),
        );
      }
      for (const { store } of cluster.running) await checkCopy(store);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      await agent.stop();
    }
  });
});
