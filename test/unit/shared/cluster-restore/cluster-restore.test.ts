import assert from 'node:assert/strict';
import type { Progress } from '../../../../shared/admin/progress.ts';
import {
  matchTargets,
  restoreCluster,
  restoreIdOf,
  type ClusterRestoreOptions,
  type ClusterRestoreResult,
} from '../../../../shared/cluster-restore/cluster-restore.ts';
import type {
  PreparedTransaction,
  PrepareRequest,
  RestoreTarget,
} from '../../../../shared/cluster-restore/restore-target.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { InDoubtDecision, Snapshot, SnapshotNode } from '../../../../shared/repository/snapshot-manifest.ts';
import type { RestorePlan } from '../../../../shared/restore-plan/restore-plan.ts';

const NODES = ['a', 'b', 'c'];
const STEPS = ['prepare', 'startFenced', 'promote', 'resolve', 'check', 'open'] as const;
type Step = (typeof STEPS)[number];

const inDoubt: readonly InDoubtDecision[] = ['a', 'c'].map((node) => ({
  node,
  gid: `g-${node}`,
  xid: 7,
  databaseOid: 5,
  prepareLsn: lsn(900n),
  preparedAtUs: 0n,
  decision: node === 'a' ? 'commit' : 'rollback',
}));

const positions = NODES.map((node): SnapshotNode => ({
  node,
  systemIdentifier: '7',
  timeline: 1,
  targetLsn: lsn(1000n),
  walEndLsn: lsn(1100n),
  walSegmentBytes: 1 << 20,
  sampledLsn: lsn(1200n),
  sampled: true,
}));

const snapshot: Snapshot = {
  id: '20261122T121530123Z-0001',
  timeUs: 0n,
  label: '',
  class: { kind: 'causal' },
  complete: true,
  cluster: 'test',
  coordinatorId: 'east',
  term: 1n,
  nodes: positions,
  inDoubt,
  broken: [],
};

const plan: RestorePlan = {
  snapshot,
  nodes: positions.map((position) => ({
    ...position,
    backup: { ...position, id: `backup-${position.node}`, startLsn: lsn(10n), stopLsn: lsn(20n), bytes: 1n },
    walFromLsn: lsn(0n),
    walBytes: 1100,
  })),
};

const specs = NODES.map((node) => ({
  node,
  agentAddress: `${node}:1`,
  directory: `/restore/${node}`,
  port: 0,
  tablespaceDirectories: {},
}));

/** Agents that note what is asked of them, and fail as told. */
class FakeTargets {
  readonly log: string[] = [];
  readonly requests: PrepareRequest[] = [];
  /** By node: under which ids its steps were asked for. */
  readonly ids = new Map<string, Set<string>>();
  fails: { readonly node: string; readonly step: Step; readonly code?: 'TM-REPO-007' } | null = null;
  prepared = (node: string): readonly PreparedTransaction[] => inDoubt.filter((branch) => branch.node === node);
  replayLsn = lsn(1064n);
  failures: readonly string[] = [];

  target(node: string): RestoreTarget {
    const step = async (name: Step) => {
      this.log.push(`${node} ${name} begins`);
      // The nodes end in another order than they began.
      for (let turn = 0; turn < 3 * (NODES.length - NODES.indexOf(node)); turn += 1) {
        await Promise.resolve();
      }
      if (this.fails?.node === node && this.fails.step === name) {
        throw new TidemarkError(this.fails.code ?? 'TM-PG-004', `${name} failed on ${node}`);
      }
      this.log.push(`${node} ${name} ends`);
    };
    const progressive = async function* (name: Step): AsyncIterable<Progress> {
      yield { phase: name, node, bytesDone: 0n, bytesTotal: 1n, message: '' };
      await step(name);
      yield { phase: name, node, bytesDone: 1n, bytesTotal: 1n, message: '' };
    };
    const note = (restoreId: string) => this.ids.set(node, (this.ids.get(node) ?? new Set()).add(restoreId));
    return {
      node,
      address: `${node}:1`,
      prepare: (request) => {
        this.requests.push(request);
        note(request.restoreId);
        return progressive('prepare');
      },
      startFenced: (restoreId) => {
        note(restoreId);
        return progressive('startFenced');
      },
      promote: async (restoreId) => {
        note(restoreId);
        await step('promote');
        return { prepared: this.prepared(node), replayLsn: this.replayLsn };
      },
      resolve: async (restoreId, branches) => {
        note(restoreId);
        await step('resolve');
        const committed = branches.filter(({ decision }) => decision === 'commit').length;
        return { committed, rolledBack: branches.length - committed };
      },
      check: async (restoreId) => {
        note(restoreId);
        await step('check');
        return node === 'b' ? this.failures : [];
      },
      open: async (restoreId) => {
        note(restoreId);
        await step('open');
        return { port: 5432 + NODES.indexOf(node) };
      },
      abandon: async (restoreId) => {
        note(restoreId);
        await Promise.resolve();
        this.log.push(`${node} abandoned`);
      },
    };
  }

  options(more: Partial<ClusterRestoreOptions> = {}): ClusterRestoreOptions {
    return {
      restoreId: 'r1',
      plan,
      nodes: matchTargets(plan, specs).map((node) => ({ ...node, target: this.target(node.plan.node) })),
      source: { kind: 'repository', path: '/repository' },
      assertions: [],
      settings: {},
      pause: false,
      ...more,
    };
  }

  /** No node begins a step before all have ended the one before. */
  assertInStep(): void {
    let before: Step | undefined;
    for (const step of STEPS) {
      const first = this.log.findIndex((line) => line.endsWith(`${step} begins`));
      if (first !== -1 && before !== undefined) {
        const ended = this.log.slice(0, first).filter((line) => line.endsWith(`${before} ends`));
        assert.equal(ended.length, NODES.length, `${step} began before all had ended ${before}`);
      }
      before = step;
    }
  }
}

async function run(
  options: ClusterRestoreOptions,
  signal = new AbortController().signal,
): Promise<{ readonly result: ClusterRestoreResult; readonly progress: readonly Progress[] }> {
  const steps = restoreCluster(options, signal);
  const progress: Progress[] = [];
  for (;;) {
    const next = await steps.next();
    if (next.done === true) {
      return { result: next.value, progress };
    }
    progress.push(next.value);
  }
}

describe('cluster restore', () => {
  it('takes all nodes through each step together', async () => {
    const targets = new FakeTargets();
    const { result, progress } = await run(targets.options());
    targets.assertInStep();
    assert.deepEqual(
      result.nodes.map(({ node, port, inDoubtCommitted, inDoubtRolledBack }) => [
        node,
        port,
        inDoubtCommitted,
        inDoubtRolledBack,
      ]),
      [
        ['a', 5432, 1, 0],
        ['b', 5433, 0, 0],
        ['c', 5434, 0, 1],
      ],
    );
    assert(progress.some(({ phase }) => phase === 'prepare') && progress.some(({ phase }) => phase === 'paused'));
    assert.deepEqual(targets.requests[0]?.expectedInDoubt, [inDoubt[0]]);
    assert(!targets.log.some((line) => line.endsWith('abandoned')));
  });

  for (const step of STEPS) {
    it(`opens none and abandons all when ${step} fails on one node`, async () => {
      const targets = new FakeTargets();
      targets.fails = { node: 'b', step };
      await assert.rejects(run(targets.options()), { code: 'TM-PG-004', message: `b: ${step} failed on b` });
      targets.assertInStep();
      const abandoned = targets.log.filter((line) => line.endsWith('abandoned'));
      assert.equal(abandoned.length, step === 'open' ? 0 : NODES.length);
      const opened = targets.log.filter((line) => line.endsWith('open begins'));
      assert.equal(opened.length, step === 'open' ? NODES.length : 0);
    });
  }

  it('says which directory is full', async () => {
    const targets = new FakeTargets();
    targets.fails = { node: 'b', step: 'prepare', code: 'TM-REPO-007' };
    await assert.rejects(run(targets.options()), {
      code: 'TM-REPO-007',
      hint: /^Make room for \/restore\/b, and give/,
    });
  });

  it('resolves nothing when one node shows other prepared transactions than predicted', async () => {
    const known = new FakeTargets().prepared;
    const cases: [(node: string) => readonly PreparedTransaction[], RegExp][] = [
      [(node) => (node === 'c' ? [] : known(node)), /c lacks the prepared transaction "g-c"/],
      [
        (node) => (node === 'b' ? [{ gid: 'x', xid: 1, databaseOid: 5 }] : known(node)),
        /b has the prepared transaction "x"/,
      ],
      [(node) => known(node).map((branch) => ({ ...branch, xid: 8 })), /a lacks .* a has .* c lacks .* c has/],
    ];
    for (const [prepared, message] of cases) {
      const targets = new FakeTargets();
      targets.prepared = prepared;
      await assert.rejects(run(targets.options()), { code: 'TM-RESTORE-005', message });
      assert(!targets.log.some((line) => line.includes('resolve')));
      assert.equal(targets.log.filter((line) => line.endsWith('abandoned')).length, NODES.length);
    }
  });

  it('resolves nothing when a node did not stand at the cut', async () => {
    for (const replayLsn of [1000n, 1108n]) {
      const targets = new FakeTargets();
      targets.replayLsn = lsn(replayLsn);
      await assert.rejects(run(targets.options()), { code: 'TM-RESTORE-004' });
      assert(!targets.log.some((line) => line.includes('resolve')));
    }
  });

  it('opens none when a check fails', async () => {
    const targets = new FakeTargets();
    targets.failures = ['the sum is wrong'];
    await assert.rejects(run(targets.options()), { code: 'TM-RESTORE-006', message: 'b: the sum is wrong' });
    assert(!targets.log.some((line) => line.includes('open')));
  });

  it('stops at the cut when asked to, and goes on with the same id', async () => {
    const targets = new FakeTargets();
    const { result } = await run(targets.options({ pause: true }));
    assert(result.paused);
    assert(!targets.log.some((line) => /promote|abandoned/.test(line)));
    assert(!(await run(targets.options())).result.paused);
    assert.equal(restoreIdOf('s', specs), restoreIdOf('s', [...specs].reverse()));
    assert.notEqual(restoreIdOf('s', specs), restoreIdOf('t', specs));
  });

  it('has an id of its own for each node, since one agent may be the target of several', async () => {
    const targets = new FakeTargets();
    await run(targets.options());
    targets.fails = { node: 'b', step: 'check' };
    await assert.rejects(run(targets.options()));
    for (const node of NODES) assert.equal(targets.ids.get(node)?.size, 1, node);
    assert.equal(new Set([...targets.ids.values()].flatMap((ids) => [...ids])).size, NODES.length);
  });

  it('abandons all when it is interrupted', async () => {
    const targets = new FakeTargets();
    const stop = new AbortController();
    const steps = restoreCluster(targets.options(), stop.signal);
    await steps.next();
    stop.abort(new Error('interrupted'));
    await assert.rejects(async () => {
      while ((await steps.next()).done !== true);
    }, /interrupted/);
    assert.equal(targets.log.filter((line) => line.endsWith('abandoned')).length, NODES.length);
  });

  it('refuses targets that do not fit the nodes', () => {
    const refuses = (wrong: typeof specs, message: RegExp) =>
      assert.throws(() => matchTargets(plan, wrong), { code: 'TM-RESTORE-003', message });
    refuses(specs.slice(1), /a has no target/);
    refuses([...specs, { ...specs[0]!, node: 'd', directory: '/d' }], /d is no node of it/);
    refuses([...specs, { ...specs[0]!, directory: '/d' }], /a is named twice/);
    refuses(
      specs.map((spec) => ({ ...spec, agentAddress: 'x:1', directory: '/same' })),
      /x:1:\/same is given to two nodes/,
    );
    refuses(
      specs.map((spec) => ({ ...spec, directory: 'relative' })),
      /relative is not an absolute path/,
    );
  });
});
