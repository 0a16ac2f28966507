import assert from 'node:assert/strict';
import process from 'node:process';
import type { SnapshotService, SnapshotServiceOptions } from '../../../../coordinator/snapshots/snapshot-service.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';
import { AbsentCluster } from './absent-cluster.ts';
import { leading } from './fake-cluster.ts';

const decisionsOf = ({ inDoubt }: Snapshot) => inDoubt.map(({ node, gid, decision }) => `${node} ${gid} ${decision}`);

/** Takes a snapshot and compares it with what is true of the history, by definition. */
async function assertTrue(cluster: AbsentCluster, service: SnapshotService, what: string): Promise<Snapshot> {
  cluster.beginCollect();
  const snapshot = await service.createSnapshot({ label: '' });
  const wish = cluster.wishOf(snapshot);
  const expected = cluster.greatestClosed(wish);
  for (const { node, targetLsn } of snapshot.nodes) {
    const limit = lsn(targetLsn + 1n);
    assert.deepEqual(cluster.held(node, limit), cluster.held(node, expected.get(node) as Lsn), `${what}: ${node}`);
  }
  assert.deepEqual(
    snapshot.inDoubt.map(({ node, prepareLsn, decision }) => `${node} ${prepareLsn} ${decision}`).sort(),
    cluster.inDoubt(expected),
    what,
  );
  return snapshot;
}

describe('snapshots over the absence of a node', () => {
  it('forget what is finished meanwhile, and know it again when the node shows a branch of it', async () => {
    const cluster = new AbsentCluster(3);
    await leading(
      cluster,
      async (service) => {
        assert((await service.createSnapshot({ label: '' })).complete);
        cluster.leave('n2', 'down');
        const wanted = ['committed', 'rolled-back', 'elsewhere'];
        for (const [index, gid] of wanted.entries()) {
          for (const node of ['n0', 'n1', ...(gid === 'elsewhere' ? [] : ['n2'])]) {
            cluster.write(node, 'prepare', 10 + index, gid);
          }
          const end = gid === 'rolled-back' ? 'rollback-prepared' : 'commit-prepared';
          cluster.write('n0', end, 10 + index);
          cluster.write('n1', end, 10 + index);
        }
        for (let number = 0; number < 5; number++) await service.createSnapshot({ label: '' });
        assert.equal(cluster.pastReadings, 0);
        cluster.comeBack('n2');
        cluster.write('n2', 'prepare', 20, 'alone');
        const back = await service.createSnapshot({ label: '' });
        assert(back.complete);
        assert.deepEqual(decisionsOf(back), ['n2 committed commit', 'n2 rolled-back rollback', 'n2 alone rollback']);
        assert.equal(cluster.pastReadings, 2, 'once on each node that had forgotten something');
        cluster.write('n2', 'rollback-prepared', 10);
        cluster.write('n2', 'rollback-prepared', 11);
        cluster.write('n2', 'commit-prepared', 20);
        const end = await service.createSnapshot({ label: '' });
        assert.deepEqual(end.inDoubt, []);
        assert.deepEqual(
          end.broken.map(({ kind, gid }) => `${kind} ${gid}`),
          ['torn committed'],
        );
        assert.equal(cluster.pastReadings, 2);
      },
      cluster.absentOptions(),
    );
  });

  it('hold what is open and what came since the last one, however much was finished', async () => {
    const cluster = new AbsentCluster(3);
    let most = 0;
    const { observer } = cluster.options();
    await leading(
      cluster,
      async (service) => {
        await service.createSnapshot({ label: '' });
        cluster.leave('n2', 'down');
        cluster.write('n2', 'prepare', 9, 'late');
        cluster.write('n0', 'prepare', 9, 'late');
        cluster.write('n0', 'commit-prepared', 9);
        let xid = 10;
        for (let second = 0; second < 20; second++) {
          for (let number = 0; number < 200; number++, xid++) {
            for (const kind of ['prepare', 'commit-prepared'] as const) {
              cluster.write('n0', kind, xid, kind === 'prepare' ? `t${xid}` : '');
              cluster.write('n1', kind, xid, kind === 'prepare' ? `t${xid}` : '');
            }
          }
          assert(!(await service.createSnapshot({ label: '' })).complete);
        }
        assert(most >= 400 && most <= 410, `${most} branches were held`);
        cluster.comeBack('n2');
        const back = await service.createSnapshot({ label: '' });
        assert(back.complete);
        assert.deepEqual(decisionsOf(back), ['n2 late commit']);
        assert(most <= 410, `${most} branches were held`);
      },
      {
        ...cluster.absentOptions(),
        observer: {
          ...observer,
          prepared: (nodes) =>
            (most = Math.max(
              most,
              [...nodes.values()].reduce((sum, { held }) => sum + held, 0),
            )),
        },
      },
    );
  });

  it('let a new leader go on from where the others stood', async () => {
    const cluster = new AbsentCluster(3);
    let most = 0;
    const { observer } = cluster.options();
    const options: Partial<SnapshotServiceOptions> = {
      ...cluster.absentOptions(),
      observer: {
        ...observer,
        prepared: (nodes) =>
          (most = Math.max(
            most,
            [...nodes.values()].reduce((sum, { held }) => sum + held, 0),
          )),
      },
    };
    const everywhere = (kind: 'prepare' | 'commit-prepared', xid: number, gid = '') => {
      for (const node of ['n0', 'n1']) cluster.write(node, kind, xid, gid);
    };
    await leading(cluster, (service) => service.createSnapshot({ label: '' }), options);
    cluster.leave('n2', 'down');
    cluster.write('n2', 'prepare', 9, 'late');
    everywhere('prepare', 9, 'late');
    everywhere('commit-prepared', 9);
    for (let leader = 0; leader < 4; leader++) {
      for (let xid = 100 * leader; xid < 100 * leader + 50; xid++) {
        everywhere('prepare', 10 + xid, `t${xid}`);
        everywhere('commit-prepared', 10 + xid);
      }
      const snapshot = await leading(cluster, (service) => service.createSnapshot({ label: '' }), options);
      assert(!snapshot.complete);
    }
    assert(most <= 104, `${most} branches were held`);
    cluster.comeBack('n2');
    const back = await leading(cluster, (service) => service.createSnapshot({ label: '' }), options);
    assert(back.complete);
    assert.deepEqual(decisionsOf(back), ['n2 late commit']);
    assert(most <= 104, `${most} branches were held`);
  });

  it('tell of a decision that was lost by the crash of the node that was away, and of none that was not', async () => {
    const cluster = new AbsentCluster(2);
    await leading(
      cluster,
      async (service) => {
        cluster.write('n0', 'decision-row', 5, 'citus_0_5_1_0');
        cluster.write('n0', 'abort', 5);
        await service.createSnapshot({ label: '' });
        cluster.leave('n0', 'down');
        for (const xid of [10, 20]) {
          cluster.write('n0', 'decision-row', xid, `citus_0_${xid}_1_0`);
          cluster.write('n1', 'prepare', xid, `citus_0_${xid}_1_0`);
          if (xid === 20) cluster.write('n0', 'commit', xid);
          cluster.write('n1', 'commit-prepared', xid);
        }
        cluster.write('n0', 'restart');
        for (let number = 0; number < 3; number++) {
          assert.deepEqual((await service.createSnapshot({ label: '' })).broken, []);
        }
        cluster.comeBack('n0');
        const back = await service.createSnapshot({ label: '' });
        assert.deepEqual(
          back.broken.map(({ kind, gid }) => `${kind} ${gid}`),
          ['decision-lost citus_0_10_1_0'],
        );
      },
      cluster.absentOptions(),
    );
  });

  it('read the WAL anew where the index of what was forgotten is not here', async () => {
    const cluster = new AbsentCluster(2);
    await leading(
      cluster,
      async (service) => {
        await service.createSnapshot({ label: '' });
        cluster.leave('n1', 'down');
        cluster.write('n0', 'prepare', 10, 'transfer');
        cluster.write('n1', 'prepare', 10, 'transfer');
        cluster.write('n0', 'commit-prepared', 10);
        await service.createSnapshot({ label: '' });
        cluster.comeBack('n1');
        await assert.rejects(service.createSnapshot({ label: '' }), { code: 'TM-WAL-003' });
        const back = await service.createSnapshot({ label: '' });
        assert.deepEqual(decisionsOf(back), ['n1 transfer commit']);
      },
      { ...cluster.absentOptions(), readPast: async function* () {} },
    );
  });

  it('are exactly right in random histories, whoever is away and however long', async () => {
    const count = Number(process.env['TIDEMARK_HISTORIES'] ?? 20);
    const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Date.now() % 1_000_000_000);
    const random = new SeededRandom(seed);
    const seen = { complete: 0, incomplete: 0, shrunk: 0, inDoubt: 0, recalled: 0 };
    for (let number = 0; number < count; number++) {
      const leaders = 1 + random.below(4);
      // A new leader does not know of a branch that is in doubt which of the earlier uses of its GID were rolled back.
      const cluster = new AbsentCluster(2 + random.below(3), random, leaders === 1 ? ['g0', 'g1', 'g2'] : []);
      // Nobody goes on from a snapshot without a node that decides.
      cluster.withRows = leaders === 1 || random.next() < 0.3;
      for (let leader = 0; leader < leaders; leader++) {
        await leading(
          cluster,
          async (service) => {
            for (let round = 0; round < (leaders === 1 ? 25 : 12); round++) {
              cluster.goOn(random.below(12));
              if (random.next() < 0.3) cluster.changeAbsence();
              if (!cluster.isAnswering()) continue;
              const what = `TIDEMARK_TEST_SEED=${seed} TIDEMARK_HISTORIES=${number + 1}, round ${round}`;
              const snapshot = await assertTrue(cluster, service, what);
              seen[snapshot.complete ? 'complete' : 'incomplete']++;
              seen.shrunk += cluster.wasShrunk(snapshot) ? 1 : 0;
              seen.inDoubt += snapshot.inDoubt.some(({ decision }) => decision === 'commit') ? 1 : 0;
            }
          },
          cluster.absentOptions(),
        );
      }
      seen.recalled += cluster.pastReadings > 0 ? 1 : 0;
    }
    for (const [what, times] of Object.entries(seen)) {
      // About one in five histories has a cut that shrinks: of few histories none may have one.
      if (what === 'shrunk' && count < 100) continue;
      assert(times > count / 20, `only ${times} times in ${count} histories: ${what} (seed ${seed})`);
    }
    if (count > 20) console.log(`      ${count} histories, seed ${seed}: ${JSON.stringify(seen)}`);
  });
});
