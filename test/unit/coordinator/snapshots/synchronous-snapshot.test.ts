import assert from 'node:assert/strict';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import type { SnapshotService } from '../../../../coordinator/snapshots/snapshot-service.ts';
import { SynchronousRecord } from '../../../../coordinator/snapshots/synchronous-record.ts';
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

  describe('after the loss of all nodes', () => {
    /** Takes a snapshot, lets `work` happen, and loses all nodes. */
    async function afterLoss(
      cluster: FakeCluster,
      work: () => void,
      check: (service: SnapshotService) => Promise<void>,
    ): Promise<void> {
      await leading(
        cluster,
        async (service) => {
          cluster.synchronousUntilSilence = true;
          await service.createSnapshot({ label: '' });
          work();
          for (const node of cluster.nodes.values()) node.silent = true;
          await check(service);
        },
        { sampleTimeoutMs: 100 },
      );
    }

    it('hold all that was acknowledged, complete and causal, and are written once', async () => {
      const cluster = synchronousCluster();
      let commit = lsn(0n);
      await afterLoss(
        cluster,
        () => {
          cluster.write('a', 'prepare', 20, 'transfer');
          cluster.write('b', 'prepare', 30, 'transfer');
          commit = cluster.write('b', 'commit-prepared', 30);
          // Inserted, and sent to nobody.
          cluster.node('a').lazy = true;
          cluster.write('a', 'commit-prepared', 20);
        },
        async (service) => {
          const snapshot = await service.createSnapshot({ label: 'lost' });
          assert.deepEqual(snapshot.class, { kind: 'causal' });
          assert(snapshot.complete && holds(snapshot, 'b', commit));
          assert.deepEqual(
            snapshot.inDoubt.map(({ node, gid, decision }) => ({ node, gid, decision })),
            [{ node: 'a', gid: 'transfer', decision: 'commit' }],
          );
          assert.equal((await service.get('latest')).id, snapshot.id);
        },
      );
    });

    it('leave everything known for the time when a node comes back', async () => {
      const cluster = synchronousCluster();
      await afterLoss(
        cluster,
        () => {
          cluster.write('a', 'prepare', 20, 'transfer');
          cluster.write('a', 'commit-prepared', 20);
        },
        async (service) => {
          await service.createSnapshot({ label: 'lost' });
          for (const node of cluster.nodes.values()) node.silent = false;
          // A session that did not wait: what the loss hid.
          cluster.write('b', 'prepare', 30, 'transfer');
          const next = await service.createSnapshot({ label: 'back' });
          assert.deepEqual(
            next.inDoubt.map(({ node, decision }) => ({ node, decision })),
            [{ node: 'b', decision: 'commit' }],
          );
        },
      );
    });

    it('are not taken where anything of it is not so', async () => {
      const refuse = async (change: (cluster: FakeCluster) => void, complete: boolean | null = null) => {
        const cluster = synchronousCluster();
        await afterLoss(
          cluster,
          () => cluster.write('a', 'commit', 10),
          async (service) => {
            change(cluster);
            const taken = service.createSnapshot({ label: '' });
            if (complete === null) await assert.rejects(taken, { code: 'TM-SNAP-002' });
            else assert.equal((await taken).complete, complete);
          },
        );
      };
      // One was not in the mode when it was heard last.
      await refuse((cluster) => {
        cluster.synchronousUntilSilence = false;
      });
      // One answers.
      await refuse((cluster) => {
        cluster.node('a').silent = false;
      }, false);
      // A commit without its PREPARE on another node: a session did not wait.
      await refuse((cluster) => {
        cluster.write('b', 'prepare', 30, 'transfer');
        cluster.write('b', 'commit-prepared', 30);
        const { acknowledgedLsn } = cluster.node('a');
        cluster.write('a', 'prepare', 20, 'transfer');
        cluster.node('a').acknowledgedLsn = acknowledgedLsn;
      });
      // The collects of this leadership were not.
      const cluster = synchronousCluster();
      cluster.node('b').synchronous = false;
      await afterLoss(
        cluster,
        () => cluster.write('a', 'commit', 10),
        async (service) => await assert.rejects(service.createSnapshot({ label: '' }), { code: 'TM-SNAP-002' }),
      );
    });
  });
});

describe('the record of the synchronous mode', () => {
  it('tells whether nothing was acknowledged long after a node was last seen in it', () => {
    let nowMs = 1000;
    const record = new SynchronousRecord({ ...systemClock, monotonicMs: () => nowMs });
    assert(!record.untilSilence(['a']), 'never heard');
    record.heard('a', true);
    record.acknowledged();
    assert(record.untilSilence(['a']));
    nowMs += 3_600_000;
    assert(record.untilSilence(['a']), 'silence may last');
    record.heard('b', true);
    assert(record.untilSilence(['a', 'b']));
    record.acknowledged();
    assert(!record.untilSilence(['a', 'b']), 'b went on alone');
    record.heard('a', true);
    assert(record.untilSilence(['a', 'b']));
    record.heard('b', false);
    assert(!record.untilSilence(['a', 'b']));
  });
});
