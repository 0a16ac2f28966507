import assert from 'node:assert/strict';
import { lsn, NO_LSN, type Lsn } from '../../../shared/postgres/lsn.ts';
import { historyPath } from '../../../shared/repository/layout.ts';
import { listWalGaps } from '../../../shared/repository/wal-gap.ts';
import type { LsnRange } from '../../../shared/wal/lsn-range.ts';
import { CopiesCluster, type MadeCoordinator } from '../../support/copies-cluster.ts';
import { MadeAgent } from '../../support/made-agent.ts';
import { madeChangeSet, madeWal, storedCodec } from '../../support/made-wal.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';

const SEGMENT_BYTES = 1024 * 1024;
const SEGMENT = BigInt(SEGMENT_BYTES);
const START = 0x100_0000n;
const CENTERS = new Map([
  ['c1', 'east'],
  ['c2', 'west'],
  ['c3', 'north'],
]);
const STREAM = { node: 'shard1', systemIdentifier: '7123', timeline: 1 };

function runs(coordinator: MadeCoordinator, stream = STREAM): readonly LsnRange[] {
  return coordinator.store.position(stream)?.runs ?? [];
}

function held(coordinator: MadeCoordinator, stream = STREAM): Lsn {
  return coordinator.store.position(stream)?.durableLsn ?? NO_LSN;
}

async function gaps(coordinator: MadeCoordinator): Promise<readonly [bigint, bigint][]> {
  const found = await listWalGaps(coordinator.repository, 'shard1', '7123');
  return found.map(({ startLsn, endLsn }) => [startLsn, endLsn]);
}

/** What is held is the source's, byte for byte. */
async function checkBytes({ store }: MadeCoordinator): Promise<void> {
  const end = store.position(STREAM)?.durableLsn ?? NO_LSN;
  for await (const { startLsn, endLsn, frame } of store.read(STREAM, NO_LSN, new AbortController().signal)) {
    const content = await storedCodec.decompress(frame, Number(endLsn - startLsn));
    assert.ok(content.equals(madeWal(startLsn, endLsn)), `${startLsn} differs`);
    if (endLsn >= end) break;
  }
}

describe('a gap in WAL', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  let agent: MadeAgent;
  let cluster: CopiesCluster;

  async function begin(patienceMs: number): Promise<void> {
    cluster = new CopiesCluster({
      directory: directory.path,
      dataCenters: CENTERS,
      copiesRequired: 2,
      instances: () => [agent.instance],
      patienceMs,
    });
  }

  /** Writes WAL up to `end` and waits until those that run have it and it is acknowledged. */
  async function write(end: bigint): Promise<void> {
    agent.endLsn = lsn(end);
    await waitFor('all have it', () => cluster.running.every((one) => held(one) === agent.endLsn));
    if (cluster.running.length > 1) await waitFor('it is acknowledged', () => agent.acknowledgedLsn === agent.endLsn);
  }

  /** The slot is lost, and PostgreSQL has removed its WAL up to `end`. */
  function lose(end: bigint): void {
    agent.hangUp();
    agent.endLsn = lsn(end);
    agent.acknowledgedLsn = lsn(end);
  }

  beforeEach(async () => {
    directory = TemporaryDirectory.create('gaps');
    agent = new MadeAgent({
      node: 'shard1',
      systemIdentifier: '7123',
      segmentBytes: SEGMENT_BYTES,
      startLsn: START,
      random: Math.random,
      changeSetBytesMax: 60_000,
    });
    await agent.listen();
  });

  afterEach(async () => {
    await cluster[Symbol.asyncDispose]();
    await agent.stop();
    await directory[Symbol.asyncDispose]();
  });

  it('is declared, and WAL flows again, when the slot has lost it and every coordinator says that it has not got it', async () => {
    await begin(60_000);
    await cluster.start('c1', 'c2', 'c3');
    cluster.elect('c1');
    const lostFrom = START + 1_200_000n;
    await write(lostFrom);
    const again = START + 5n * SEGMENT;
    lose(again + 300_000n);
    await write(again + 1_500_000n);
    const expected = [
      { startLsn: START, endLsn: lostFrom },
      { startLsn: again, endLsn: again + 1_500_000n },
    ];
    for (const one of cluster.running) {
      assert.deepEqual(runs(one), expected);
      await waitFor(`${one.id} knows of the gap`, async () => (await gaps(one)).length === 1);
      assert.deepEqual(await gaps(one), [[lostFrom, again]]);
      await checkBytes(one);
    }
    const [status] = cluster.get('c1').ingest.status();
    assert.equal(status?.state, 'streaming', status?.problem);
    cluster.elect('c2');
    await write(again + 2_000_000n);
    assert.deepEqual(await gaps(cluster.get('c2')), [[lostFrom, again]], 'the next leader knows it too');
  });

  /** Leaves only c3 running, which leads and lacks what the others hold up to the position that is returned. */
  async function leaveOneBehind(patienceMs: number): Promise<Lsn> {
    await begin(patienceMs);
    await cluster.start('c1', 'c2', 'c3');
    cluster.elect('c1');
    await write(START + 500_000n);
    await cluster.crash('c3');
    const end = lsn(START + 3n * SEGMENT + 1000n);
    await write(end);
    await cluster.crash('c1');
    await cluster.crash('c2');
    await cluster.start('c3');
    cluster.elect('c3');
    return end;
  }

  it('is not declared while a coordinator that may hold the WAL is only away', async () => {
    const end = await leaveOneBehind(60_000);
    await waitFor('c3 is told that the WAL is gone', () =>
      /is waited for/.test(cluster.get('c3').ingest.status()[0]?.problem ?? ''),
    );
    assert.equal(cluster.get('c3').ingest.status()[0]?.state, 'waiting');
    await cluster.start('c2');
    await write(end + 100_000n);
    for (const one of cluster.running) {
      assert.deepEqual(runs(one), [{ startLsn: START, endLsn: end + 100_000n }]);
      assert.deepEqual(await gaps(one), []);
    }
  });

  it('is filled when the one comes back that was not waited for any longer', async () => {
    const end = await leaveOneBehind(300);
    await write(end + 100_000n);
    const slot = START + 3n * SEGMENT;
    assert.deepEqual(runs(cluster.get('c3')), [
      { startLsn: START, endLsn: START + 500_000n },
      { startLsn: slot, endLsn: end + 100_000n },
    ]);
    assert.deepEqual(await gaps(cluster.get('c3')), [[START + 500_000n, slot]]);
    await cluster.start('c2');
    await waitFor('both have all', () =>
      cluster.running.every((one) => runs(one).length === 1 && held(one) === end + 100_000n),
    );
    for (const one of cluster.running) await checkBytes(one);
  });

  for (const [what, isRemoved] of [
    ['is got from PostgreSQL', false],
    ['is declared to be lost where PostgreSQL has removed it', true],
  ] as const) {
    it(`at the end of a timeline, of which the next one is here already, ${what}`, async () => {
      await begin(300);
      await cluster.start('c1', 'c2');
      cluster.elect('c1');
      const held1 = START + 1_200_000n;
      await write(held1);
      await cluster.crash('c1');
      const fork = lsn(START + 3n * SEGMENT + 5000n);
      const begin2 = lsn(START + 3n * SEGMENT);
      const next = { ...STREAM, timeline: 2 };
      const { store, repository } = cluster.get('c2');
      await repository.create(
        historyPath('shard1', '7123', 2),
        Buffer.from(`1\t0/${fork.toString(16).toUpperCase()}\tno reason\n`),
      );
      await store.append(next, SEGMENT_BYTES, madeChangeSet(begin2, begin2 + 9000n, { timeline: 2 }));
      agent.timelineEnd = { endLsn: fork, nextTimeline: 2 };
      agent.timeline = 2;
      agent.endLsn = lsn(begin2 + 700_000n);
      agent.acknowledgedLsn = fork;
      if (isRemoved) agent.removedLsn = lsn(START + 2n * SEGMENT);
      cluster.elect('c2');
      await waitFor('it has gone on', () => held(cluster.get('c2'), next) === agent.endLsn);
      assert.deepEqual(runs(cluster.get('c2')), [{ startLsn: START, endLsn: isRemoved ? held1 : fork }]);
      assert.deepEqual(runs(cluster.get('c2'), next), [{ startLsn: begin2, endLsn: agent.endLsn }]);
      assert.deepEqual(await gaps(cluster.get('c2')), isRemoved ? [[held1, begin2]] : []);
    });
  }

  it('keeps nobody back: a leader and a follower with an emptied or old copy get what another one holds', async () => {
    await begin(300);
    await cluster.start('c1', 'c2');
    cluster.elect('c1');
    await write(START + 1_300_000n);
    await cluster.start('c3');
    await write(START + 1_400_000n);
    await cluster.crash('c3');
    const end = START + 4n * SEGMENT + 1000n;
    await write(end);
    await cluster.crash('c1');
    await cluster.destroy('c1');
    await cluster.crash('c2');
    // The leader's copy is empty and begins at the slot; the follower ends before that.
    await cluster.start('c1');
    cluster.elect('c1');
    await waitFor('the leader has begun', () => held(cluster.get('c1')) === end);
    await cluster.start('c3');
    const slot = START + 4n * SEGMENT;
    const both = [
      { startLsn: START, endLsn: START + 1_400_000n },
      { startLsn: slot, endLsn: end },
    ];
    await waitFor('both have what either had', () =>
      cluster.running.every((one) => runs(one).length === 2 && runs(one)[0]?.endLsn === both[0]?.endLsn),
    );
    for (const one of cluster.running) assert.deepEqual(runs(one), both);
    await cluster.start('c2');
    await waitFor('all have all', () => cluster.running.every((one) => runs(one).length === 1 && held(one) === end));
    for (const one of cluster.running) {
      assert.equal(runs(one)[0]?.startLsn, START);
      await checkBytes(one);
    }
  });
});
