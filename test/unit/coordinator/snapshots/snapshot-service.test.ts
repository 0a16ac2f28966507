import assert from 'node:assert/strict';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { citusMatcher, sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import { FakeCluster, holds, leading } from './fake-cluster.ts';

async function eventually(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (!condition()) {
    assert(performance.now() < deadlineMs, 'a condition did not come true');
    await systemClock.sleep(2);
  }
}

describe('snapshot service', () => {
  it('declares a causal snapshot of a quiet cluster: durable, named, and at the last record', async () => {
    const cluster = new FakeCluster('a', 'b');
    const commit = cluster.write('a', 'commit', 10);
    const last = cluster.write('a', 'other');
    await leading(cluster, async (service) => {
      const snapshot = await service.createSnapshot({ label: 'first' });
      assert.equal(snapshot.label, 'first');
      assert.deepEqual(snapshot.class, { kind: 'causal' });
      assert(snapshot.complete && holds(snapshot, 'a', commit));
      assert.equal(snapshot.nodes[0]?.targetLsn, last);
      assert.equal(snapshot.nodes[0]?.walEndLsn, cluster.node('a').insertLsn);
      assert(cluster.observed.includes(`put snapshots/latest ${snapshot.id}`));
      assert.deepEqual(await service.get('latest'), snapshot);
      assert.deepEqual(await service.get(snapshot.id), snapshot);
      await assert.rejects(service.get('20200101T000000000Z-0000'), { code: 'TM-SNAP-001' });
    });
  });

  it('leaves out what began after the first reading, and says how far apart readings may lie', async () => {
    const cluster = new FakeCluster('a', 'b');
    await leading(cluster, async (service) => {
      const before = cluster.write('a', 'commit', 10);
      let during = before;
      cluster.beforeSample = (node) => {
        if (node === 'a' && cluster.samples > 2) {
          during = cluster.write('a', 'commit', 11);
        }
      };
      const snapshot = await service.createSnapshot({ label: '' });
      assert.equal(snapshot.class.kind, 'bounded');
      assert(holds(snapshot, 'a', before) && !holds(snapshot, 'a', during));
      assert.equal(snapshot.nodes[0]?.walEndLsn, during);
    });
  });

  it('shrinks a vector that is not closed, and resolves what is in doubt', async () => {
    const cluster = new FakeCluster('a', 'b');
    await leading(cluster, async (service) => {
      let commit = 0n;
      cluster.beforeSample = (node) => {
        // Between the reading of `a` and that of `b`, a whole transaction over both.
        if (node === 'b' && cluster.samples === 2) {
          cluster.write('a', 'prepare', 20, 'transfer');
          cluster.write('b', 'prepare', 30, 'transfer');
          commit = cluster.write('b', 'commit-prepared', 30);
          cluster.write('a', 'commit-prepared', 20);
        }
      };
      const snapshot = await service.createSnapshot({ label: '' });
      assert.equal(snapshot.class.kind, 'bounded');
      assert(!holds(snapshot, 'b', commit as never), 'its PREPARE on a is missing');
      assert.deepEqual(
        snapshot.inDoubt.map(({ node, gid, decision }) => ({ node, gid, decision })),
        [{ node: 'b', gid: 'transfer', decision: 'rollback' }],
      );
      cluster.beforeSample = () => {};
      const next = await service.createSnapshot({ label: '' });
      assert.deepEqual(next.inDoubt, []);
      assert.deepEqual(next.class, { kind: 'causal' });
    });
  });

  it('carries a decision over a change of the leader, when the commit lies far behind', async () => {
    const cluster = new FakeCluster('a', 'b');
    cluster.write('a', 'prepare', 20, 'transfer');
    cluster.write('b', 'prepare', 30, 'transfer');
    cluster.write('b', 'commit-prepared', 30);
    const decisions = [];
    for (let leader = 0; leader < 3; leader += 1) {
      const snapshot = await leading(cluster, (service) => service.createSnapshot({ label: '' }));
      decisions.push(...snapshot.inDoubt.map(({ node, decision }) => `${node} ${decision}`));
      cluster.write('b', 'commit', 31 + leader);
    }
    assert.deepEqual(decisions, ['a commit', 'a commit', 'a commit']);
    // The GID is used anew on b: that is another transaction, though a's branch is still open.
    cluster.write('b', 'prepare', 40, 'transfer');
    const reused = await leading(cluster, (service) => service.createSnapshot({ label: '' }));
    assert.deepEqual(
      reused.inDoubt.map(({ node, decision }) => `${node} ${decision}`),
      ['a commit', 'b rollback'],
    );
    const end = cluster.write('a', 'commit-prepared', 20);
    const after = await leading(cluster, (service) => service.createSnapshot({ label: '' }));
    assert(holds(after, 'a', end));
    assert.deepEqual(
      after.inDoubt.map(({ node }) => node),
      ['b'],
    );
  });

  it('knows what a branch on a node that joins later belongs to', async () => {
    const cluster = new FakeCluster('a', 'b');
    const all = [...cluster.nodes.values()].map((node) => node.stream);
    let streams = all.slice(0, 1);
    await leading(
      cluster,
      async (service) => {
        cluster.write('a', 'prepare', 20, 'transfer');
        cluster.write('b', 'prepare', 30, 'transfer');
        cluster.write('a', 'commit-prepared', 20);
        assert.equal((await service.createSnapshot({ label: '' })).nodes.length, 1);
        cluster.write('a', 'commit', 21);
        await service.createSnapshot({ label: '' });
        streams = all;
        const both = await service.createSnapshot({ label: '' });
        assert.deepEqual(
          both.inDoubt.map(({ node, decision }) => `${node} ${decision}`),
          ['b commit'],
        );
      },
      { streams: () => streams },
    );
  });

  it('names what is broken, and is not held back by it', async () => {
    const cluster = new FakeCluster('a', 'b');
    await leading(cluster, async (service) => {
      await service.createSnapshot({ label: '' });
      cluster.write('a', 'prepare', 20, 'torn');
      cluster.write('b', 'prepare', 30, 'torn');
      cluster.write('a', 'commit-prepared', 20);
      const rollback = cluster.write('b', 'rollback-prepared', 30);
      const orphan = cluster.write('b', 'commit-prepared', 99);
      const snapshot = await service.createSnapshot({ label: '' });
      assert(holds(snapshot, 'b', rollback) && holds(snapshot, 'b', orphan));
      assert.deepEqual(
        snapshot.broken.map(
          ({ gid, branches }) => `${gid} ${branches.map(({ node, state }) => `${node} ${state}`).join(', ')}`,
        ),
        ['torn a commit, b rollback', ' b commit'],
      );
      assert.deepEqual((await service.createSnapshot({ label: '' })).broken, []);
    });
  });

  it('goes on without a node that is silent, and "latest" stays the last complete one', async () => {
    const cluster = new FakeCluster('a', 'b');
    await leading(cluster, async (service) => {
      const complete = await service.createSnapshot({ label: '' });
      const known = cluster.write('b', 'commit', 30);
      cluster.write('a', 'commit', 20);
      await service.createSnapshot({ label: '' });
      cluster.node('b').silent = true;
      const partial = await service.createSnapshot({ label: '' });
      assert(!partial.complete && holds(partial, 'b', known));
      assert.deepEqual(
        partial.nodes.map((node) => node.sampled),
        [true, false],
      );
      const latest = await service.get('latest');
      assert(latest.complete && latest.id > complete.id && latest.id < partial.id);
      cluster.node('a').silent = true;
      await assert.rejects(service.createSnapshot({ label: '' }), { code: 'TM-SNAP-002' });
    });
  });

  it('takes nothing of a silent node that the others were not read far enough to decide', async () => {
    const cluster = new FakeCluster('a', 'b');
    let commit = lsn(0n);
    const { acknowledgements } = cluster.options();
    await leading(
      cluster,
      async (service) => {
        cluster.node('b').silent = true;
        const snapshot = await service.createSnapshot({ label: '' });
        assert(commit !== 0n && !snapshot.complete);
        assert(!holds(snapshot, 'b', commit), 'its PREPARE on a was not read');
        assert.deepEqual(snapshot.inDoubt, []);
      },
      {
        acknowledgements: {
          ...acknowledgements,
          waitForAcknowledged: async (...wanted) => {
            if (commit === 0n) {
              // After the readings: a transaction over both, of which the WAL of `b` comes first.
              cluster.node('a').lazy = true;
              cluster.write('a', 'prepare', 20, 'transfer');
              cluster.write('b', 'prepare', 30, 'transfer');
              commit = cluster.write('b', 'commit-prepared', 30);
              await systemClock.sleep(1);
            }
            await acknowledgements.waitForAcknowledged(...wanted);
          },
        },
      },
    );
  });

  it('declares nothing that is not durable, and nothing without the right to', async () => {
    const cluster = new FakeCluster('a');
    await leading(
      cluster,
      async (service) => {
        await service.createSnapshot({ label: '' });
        const objects = cluster.objects.size;
        cluster.node('a').acknowledgedLsn = 1n as never;
        await assert.rejects(service.createSnapshot({ label: '' }), { code: 'TM-SNAP-002' });
        cluster.node('a').acknowledgedLsn = cluster.node('a').insertLsn;
        cluster.putFails = true;
        await assert.rejects(service.createSnapshot({ label: '' }), { code: 'TM-LEAD-002' });
        assert.equal(cluster.objects.size, objects);
      },
      { durableTimeoutMs: 50 },
    );
    const service = new FakeCluster('a');
    await assert.rejects(
      leading(service, async (leader) => await leader.get('latest')),
      { code: 'TM-SNAP-001' },
    );
  });

  it('asks for a flush where WAL does not come by itself', async () => {
    const cluster = new FakeCluster('a');
    await leading(cluster, async (service) => {
      await service.createSnapshot({ label: '' });
      cluster.node('a').lazy = true;
      const commit = cluster.write('a', 'commit', 20);
      assert(holds(await service.createSnapshot({ label: '' }), 'a', commit));
    });
  });

  it('lets requests that wait share one snapshot', async () => {
    const cluster = new FakeCluster('a', 'b');
    await leading(cluster, async (service) => {
      const first = service.createSnapshot({ label: '' });
      const shared = await Promise.all(['x', 'y', ''].map((label) => service.createSnapshot({ label })));
      assert.equal(new Set(shared.map((snapshot) => snapshot.id)).size, 1);
      assert(shared[0]?.label === 'x, y' || (await first).id === shared[0]?.id);
    });
  });

  it('takes snapshots by itself, and writes none while nothing happens', async () => {
    const cluster = new FakeCluster('a', 'b');
    await leading(
      cluster,
      async () => {
        await eventually(() => cluster.observed.filter((line) => line.startsWith('current')).length > 2);
        assert.equal(cluster.objects.size, 1);
        cluster.write('b', 'commit', 20);
        await eventually(() => cluster.objects.size === 2);
      },
      { intervalMs: 5 },
    );
  });

  it('tells of each broken transaction once, also where another leader told of it, and of what stays prepared', async () => {
    const cluster = new FakeCluster('a', 'b');
    const told = () => cluster.observed.filter((line) => /^(?:broken|long)/.test(line));
    await leading(cluster, (service) => service.createSnapshot({ label: '' }));
    cluster.write('a', 'prepare', 20, 'torn');
    cluster.write('b', 'prepare', 30, 'torn');
    cluster.write('b', 'prepare', 31, 'left');
    cluster.write('a', 'commit-prepared', 20);
    cluster.write('b', 'rollback-prepared', 30);
    await leading(
      cluster,
      async (service) => {
        await service.createSnapshot({ label: '' });
        cluster.write('a', 'commit', 21);
        await service.createSnapshot({ label: '' });
        const { broken, longPrepared } = service.transactions();
        assert.deepEqual(
          broken.map(({ kind, gid }) => `${kind} ${gid}`),
          ['torn torn'],
        );
        assert.deepEqual(
          longPrepared.map(({ node, gid, xid }) => `${node} ${gid} ${xid}`),
          ['b left 31'],
        );
      },
      { preparedWarningMs: -1 },
    );
    assert.deepEqual(told(), ['broken torn torn', 'long prepared b left']);
    await leading(cluster, async (service) => {
      await service.createSnapshot({ label: '' });
      assert.equal(service.transactions().broken.length, 1);
      assert.deepEqual(service.transactions().longPrepared, []);
    });
    assert.equal(told().length, 2);
  });

  it('lets a row decide, also one that was written before the leader changed', async () => {
    const cluster = new FakeCluster('a', 'b');
    const matchers = [citusMatcher, sameGidMatcher];
    const decisions = ({ inDoubt }: Snapshot) => inDoubt.map(({ node, decision }) => `${node} ${decision}`);
    await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    cluster.write('a', 'decision-row', 20, 'citus_0_1_1_0');
    cluster.write('b', 'prepare', 30, 'citus_0_1_1_0');
    const undecided = await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    assert.deepEqual(decisions(undecided), ['b rollback']);
    assert.equal(undecided.openDecisions?.[0]?.rows.length, 1);
    cluster.write('a', 'commit', 20);
    const decided = await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    assert.deepEqual(decisions(decided), ['b commit']);
    assert.equal(decided.openDecisions, undefined);
    cluster.write('b', 'commit-prepared', 30);
    const whole = await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    assert.deepEqual([decisions(whole), whole.broken], [[], []]);
  });

  it('reports a commit whose decision a crash lost, and is not held back by it', async () => {
    const cluster = new FakeCluster('a', 'b');
    const matchers = [citusMatcher, sameGidMatcher];
    await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    cluster.write('a', 'decision-row', 19, 'citus_0_1_1_0');
    cluster.write('a', 'abort', 19);
    await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    cluster.write('b', 'prepare', 30, 'citus_0_1_2_0');
    const commit = cluster.write('b', 'commit-prepared', 30);
    cluster.write('a', 'restart');
    const snapshot = await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    assert(holds(snapshot, 'b', commit));
    assert.deepEqual(
      snapshot.broken.map(({ kind, gid }) => `${kind} ${gid}`),
      ['decision-lost citus_0_1_2_0'],
    );
    // One that was in doubt when the leader changed.
    cluster.write('b', 'prepare', 31, 'citus_0_1_3_0');
    await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    cluster.write('b', 'commit-prepared', 31);
    const later = await leading(cluster, (service) => service.createSnapshot({ label: '' }), { matchers });
    assert.deepEqual(
      later.broken.map(({ kind, gid }) => `${kind} ${gid}`),
      ['decision-lost citus_0_1_3_0'],
    );
  });
});
