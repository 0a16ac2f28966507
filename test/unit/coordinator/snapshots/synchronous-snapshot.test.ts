import assert from 'node:assert/strict';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { FakeCluster, holds, leading } from './fake-cluster.ts';

/** Two nodes in synchronous mode. */
function synchronousCluster(): FakeCluster {
  const cluster = new FakeCluster('a', 'b');
  for (const node of cluster.nodes.values()) node.synchronous = true;
  return cluster;
}

/** Runs `work` once, before the first reading of the second round. */
function betweenRounds(cluster: FakeCluster, work: () => void): void {
  let done = false;
  cluster.beforeSample = () => {
    if (cluster.samples === 3 && !done) {
      done = true;
      work();
    }
  };
}

describe('snapshots in synchronous mode', () => {
  it('are causal under load, at the acknowledged positions', async () => {
    const cluster = synchronousCluster();
    await leading(cluster, async (service) => {
      const before = cluster.write('a', 'commit', 10);
      let during = before;
      betweenRounds(cluster, () => {
        during = cluster.write('a', 'commit', 11);
      });
      const snapshot = await service.createSnapshot({ label: '' });
      assert.deepEqual(snapshot.class, { kind: 'causal' });
      assert(holds(snapshot, 'a', before));
      // Acknowledged after the vector was read.
      assert(!holds(snapshot, 'a', during));
    });
  });

  it('hold what was acknowledged after the first round, when the vector was read', async () => {
    const cluster = synchronousCluster();
    let returned = lsn(0n);
    const { timestamps, acknowledgements } = cluster.options();
    await leading(
      cluster,
      async (service) => {
        betweenRounds(cluster, () => cluster.write('b', 'commit', 12));
        const snapshot = await service.createSnapshot({ label: '' });
        assert.deepEqual(snapshot.class, { kind: 'causal' });
        assert(holds(snapshot, 'a', returned));
      },
      {
        timestamps,
        acknowledgements: {
          ...acknowledgements,
          waitForAcknowledged: async (stream, position, signal) => {
            if (returned === 0n) returned = cluster.write('a', 'commit', 11);
            await acknowledgements.waitForAcknowledged(stream, position, signal);
          },
        },
      },
    );
  });

  it('are bounded as ever where one node does not confirm the mode in one of the rounds', async () => {
    for (const round of [1, 2]) {
      const cluster = synchronousCluster();
      await leading(cluster, async (service) => {
        cluster.write('a', 'commit', 10);
        let during = lsn(0n);
        cluster.beforeSample = (node) => {
          const now = Math.ceil(cluster.samples / 2);
          cluster.node('b').synchronous = now !== round;
          if (node === 'a' && now === 2) during = cluster.write('a', 'commit', 11);
        };
        const snapshot = await service.createSnapshot({ label: '' });
        assert.equal(snapshot.class.kind, 'bounded');
        assert(!holds(snapshot, 'a', during));
      });
    }
  });

  it('wait for the first readings to be acknowledged, with a flush where the WAL rests, and else do without', async () => {
    const cluster = synchronousCluster();
    await leading(cluster, async (service) => {
      cluster.node('b').lazy = true;
      cluster.write('b', 'other');
      betweenRounds(cluster, () => cluster.write('a', 'commit', 11));
      assert.deepEqual((await service.createSnapshot({ label: '' })).class, { kind: 'causal' });
    });
    const stuck = synchronousCluster();
    const { acknowledgements } = stuck.options();
    let waits = 0;
    await leading(
      stuck,
      async (service) => {
        betweenRounds(stuck, () => stuck.write('a', 'commit', 11));
        assert.equal((await service.createSnapshot({ label: '' })).class.kind, 'bounded');
      },
      {
        acknowledgements: {
          ...acknowledgements,
          waitForAcknowledged: async (stream, position, signal) => {
            waits += 1;
            if (waits <= 4) throw new Error('not in time');
            await acknowledgements.waitForAcknowledged(stream, position, signal);
          },
        },
      },
    );
  });

  it('are not called causal where a session did not wait: a PREPARE is missing', async () => {
    const cluster = synchronousCluster();
    await leading(cluster, async (service) => {
      let commit = lsn(0n);
      let prepared = false;
      cluster.beforeSample = (node) => {
        if (node === 'b' && cluster.samples === 2 && !prepared) {
          prepared = true;
          // The PREPARE on a did not wait: it is not acknowledged before the commit on b is.
          cluster.write('b', 'prepare', 30, 'transfer');
          const acknowledged = cluster.node('a').acknowledgedLsn;
          cluster.write('a', 'prepare', 20, 'transfer');
          cluster.node('a').acknowledgedLsn = acknowledged;
          commit = cluster.write('b', 'commit-prepared', 30);
        }
        // Acknowledges everything, and the collect is not a quiet one.
        if (cluster.samples === 3) cluster.write('a', 'commit', 21);
      };
      const snapshot = await service.createSnapshot({ label: '' });
      assert.equal(snapshot.class.kind, 'bounded');
      assert(!holds(snapshot, 'b', commit), 'its PREPARE on a is missing');
    });
  });
});
