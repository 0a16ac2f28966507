import assert from 'node:assert/strict';
import { adminHandlers } from '../../../../coordinator/admin/admin-service.ts';
import type { AdminBackends } from '../../../../coordinator/admin/admin-backends.ts';
import { LeaderRoute } from '../../../../coordinator/admin/leader-route.ts';
import type { LeaderInfo, Leadership } from '../../../../coordinator/coordination/coordination.ts';
import type { SnapshotSummary } from '../../../../shared/admin/snapshot.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { openChannel, type Channel } from '../../../../shared/rpc/channel.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../../shared/rpc/server.ts';
import { callStream, callUnary } from '../../../../shared/rpc/streams.ts';

/** Who leads, for all coordinators of a test. */
class Election {
  leader: LeaderInfo | null = null;
  holder: string | null = null;
  readonly listeners = new Set<() => void>();
  next: LeaderInfo | null = null;

  elect(leader: LeaderInfo | null): void {
    this.leader = leader;
    this.holder = leader?.coordinatorId ?? null;
    for (const listener of this.listeners) {
      listener();
    }
  }
}

describe('Admin service', () => {
  const election = new Election();
  const members: { id: string; server: RpcServer; route: LeaderRoute; channel: Channel; address: string }[] = [];
  const done: string[] = [];
  const errors: unknown[] = [];
  const settings = { deadlineMs: 5_000 };

  async function start(id: string): Promise<void> {
    const leadership: Leadership = {
      term: 1n,
      signal: new AbortController().signal,
      holdsNames: () => true,
      put: async () => {},
      notifyHigherTerm: () => {},
      resign: async () => {
        election.elect(null);
        setImmediate(() => {
          election.elect(election.next);
        });
      },
    };
    const route = new LeaderRoute({
      coordinatorId: id,
      coordination: { leader: () => election.leader },
      leadership: () => (election.holder === id ? leadership : null),
      open: (address) => openChannel(address),
    });
    const backends: AdminBackends = {
      backups: {
        create: async function* (request) {
          done.push(`${id} backs up ${request.nodes.join(',')}`);
          yield {
            kind: 'progress',
            progress: { phase: 'files', node: 'n', bytesDone: 1n, bytesTotal: 2n, message: '' },
          };
          throw new TidemarkError('TM-BACKUP-001', 'the disk is full');
        },
        list: async () => [],
        get: async (backupId) => {
          throw new TidemarkError('TM-BACKUP-002', `no backup ${backupId}`);
        },
      },
      snapshots: {
        createSnapshot: async ({ label }) => snapshot(`made-by-${id}`, label),
        list: async () => [snapshot(`known-by-${id}`, '')],
        get: async (snapshotId) => snapshot(snapshotId, `from ${id}`),
        at: async (timeUs) => snapshot(`at-${timeUs}`, `from ${id}`),
      },
      restores: {
        plan: async () => {
          throw new TidemarkError('TM-RESTORE-003', 'shard-1 has no target');
        },
        run: async function* () {
          done.push(`${id} restores`);
          yield* [];
        },
      },
      status: {
        status: async () => ({
          cluster: id,
          state: 'ok',
          problems: [],
          leader: election.leader,
          coordinators: [],
          nodes: [],
          lastSnapshot: null,
          copiesRequired: 1,
          recoverable: null,
          coordination: 'embedded',
          coordinationReachable: true,
          transactions: { broken: [], longPrepared: [] },
        }),
      },
    };
    const server = new RpcServer();
    server.addService(
      protocol.Admin.service,
      adminHandlers({
        backends,
        route,
        coordination: {
          leader: () => election.leader,
          onChange: (listener) => {
            election.listeners.add(listener);
            return () => election.listeners.delete(listener);
          },
        },
        onError: (error) => errors.push(error),
      }),
    );
    const address = await server.listen('127.0.0.1:0');
    members.push({ id, server, route, channel: openChannel(address), address });
  }

  function member(index: number) {
    const found = members[index];
    assert.ok(found !== undefined);
    return found;
  }

  const info = (index: number, term: bigint): LeaderInfo => {
    const { id, address } = member(index);
    return { coordinatorId: id, dataCenter: 'east', address, term };
  };

  beforeEach(async () => {
    members.length = 0;
    done.length = 0;
    errors.length = 0;
    await start('c0');
    await start('c1');
    election.elect(info(0, 1n));
  });

  afterEach(async () => {
    for (const { server, route, channel } of members) {
      route.close();
      channel.close();
      await server.stop(100);
    }
    assert.equal(election.listeners.size, 0);
  });

  it('passes on to the leader what only it can do', async () => {
    for (const index of [0, 1]) {
      const made = await callUnary(member(index).channel.admin, 'CreateSnapshot', { label: 'x' }, settings);
      assert.equal(made.id, 'made-by-c0');
      assert.equal(made.label, 'x');
    }
  });

  it('passes on streams and their errors', async () => {
    const phases: (string | undefined)[] = [];
    await assert.rejects(
      async () => {
        for await (const event of callStream(member(1).channel.admin, 'CreateBackup', { nodes: ['n'] }, settings)) {
          phases.push(event.progress?.phase);
        }
      },
      { code: 'TM-BACKUP-001', message: 'the disk is full' },
    );
    assert.deepEqual(phases, ['files']);
    assert.deepEqual(done, ['c0 backs up n']);
  });

  it('reads from the leader, so that everybody sees what was just made', async () => {
    const { snapshots } = await callUnary(member(1).channel.admin, 'ListSnapshots', {}, settings);
    assert.equal(snapshots[0]?.id, 'known-by-c0');
  });

  it('gives the leader’s own errors back and does not look elsewhere', async () => {
    await assert.rejects(callUnary(member(1).channel.admin, 'GetBackup', { id: 'b9' }, settings), {
      code: 'TM-BACKUP-002',
      message: 'no backup b9',
    });
    assert.equal(errors.length, 2, 'counted where it happened and where it was passed on');
  });

  it('reads from the own copy when there is no leader, and does nothing', async () => {
    election.elect(null);
    const status = await callUnary(member(1).channel.admin, 'GetStatus', {}, settings);
    assert.equal(status.cluster, 'c1');
    await assert.rejects(callUnary(member(1).channel.admin, 'CreateSnapshot', {}, settings), {
      code: 'TM-LEAD-001',
      exitCode: 3,
    });
    assert.equal((await callUnary(member(1).channel.admin, 'GetLeader', {}, settings)).coordinatorId, '');
  });

  it('plans and runs a restore from the own copy when there is no leader', async () => {
    election.elect(null);
    const { admin } = members[0]!.channel;
    const request = { snapshotId: 'latest', targets: [] };
    await assert.rejects(callUnary(admin, 'PlanRestore', request, settings), { code: 'TM-RESTORE-003' });
    for await (const event of callStream(admin, 'Restore', request, settings)) assert.fail(JSON.stringify(event));
    assert.deepEqual(done.splice(0), ['c0 restores']);
  });

  it('reads from the own copy when the leader has vanished', async () => {
    await member(0).server.stop(10);
    const found = await callUnary(member(1).channel.admin, 'GetSnapshot', { id: 's' }, settings);
    assert.equal(found.label, 'from c1');
  });

  it('passes a call on once only', async () => {
    // Both take the other for the leader.
    election.leader = info(0, 1n);
    election.holder = null;
    await assert.rejects(callUnary(member(1).channel.admin, 'CreateSnapshot', {}, settings), {
      code: 'TM-LEAD-001',
      message: /c0 does not lead any more/,
    });
  });

  it('resigns and tells who follows', async () => {
    election.next = info(1, 2n);
    const leader = await callUnary(member(1).channel.admin, 'ResignLeader', {}, settings);
    assert.deepEqual([leader.coordinatorId, leader.term], ['c1', '2']);
  });

  it('says when nobody follows', async () => {
    election.next = null;
    const resigning = callUnary(member(0).channel.admin, 'ResignLeader', {}, { deadlineMs: 200 });
    await assert.rejects(resigning, (error: unknown) => error instanceof TidemarkError && error.exitCode === 3);
    await new Promise(setImmediate);
  });
});

function snapshot(id: string, label: string): SnapshotSummary {
  return {
    id,
    timeUs: 1n,
    label,
    class: { kind: 'causal' },
    complete: true,
    cut: [],
    inDoubt: [],
    dataCenters: [],
    restorable: false,
  };
}
