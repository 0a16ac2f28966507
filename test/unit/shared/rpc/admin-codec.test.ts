import assert from 'node:assert/strict';
import type { BackupSummary } from '../../../../shared/admin/backup.ts';
import type { RestoreEvent, RestorePlanSummary, RestoreRequest } from '../../../../shared/admin/restore.ts';
import type { SnapshotSummary } from '../../../../shared/admin/snapshot.ts';
import type { ClusterStatus } from '../../../../shared/admin/status.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import * as codec from '../../../../shared/rpc/admin-codec.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import * as restoreCodec from '../../../../shared/rpc/restore-codec.ts';
import {
  leaderFromMessage,
  leaderToMessage,
  statusFromMessage,
  statusToMessage,
} from '../../../../shared/rpc/status-codec.ts';

const snapshot: SnapshotSummary = {
  id: '20261122T121530123Z-0001',
  timeUs: 1_795_263_330_123_000n,
  label: 'before the migration',
  class: { kind: 'bounded', boundUs: 1_500 },
  complete: true,
  cut: [
    { node: 'shard-1', systemIdentifier: '7412345678901234567', timeline: 2, targetLsn: lsn(0xffff_ffff_0000_0028n) },
  ],
  inDoubt: [
    { node: 'shard-1', gid: 'g', xid: 4_294_967_295, databaseOid: 5, prepareLsn: lsn(0x28n), decision: 'rollback' },
  ],
  dataCenters: ['east', 'west'],
  restorable: true,
};

const backup: BackupSummary = {
  id: 'b1',
  node: 'shard-1',
  type: 'full',
  systemIdentifier: '7412345678901234567',
  timeline: 1,
  startLsn: lsn(0x200_0028n),
  stopLsn: lsn(0x200_0100n),
  startedAtUs: 1n,
  finishedAtUs: 2n,
  bytes: 9_007_199_254_740_993n,
  storedBytes: 4n,
  files: 5n,
  serverVersionNum: 180_001,
  pagesVerified: 6n,
  badFiles: ['base/5/1234'],
  dataCenters: ['east'],
};

const progress = { phase: 'files', node: 'shard-1', bytesDone: 1n, bytesTotal: 9_007_199_254_740_993n, message: 'm' };

describe('codecs of the Admin API', () => {
  it('carries a snapshot', () => {
    for (const value of [snapshot, { ...snapshot, class: { kind: 'causal' } } as const]) {
      const wire = protocol.Snapshot.serialize(codec.snapshotToMessage(value));
      assert.deepEqual(plain(codec.snapshotFromMessage(protocol.Snapshot.deserialize(wire))), value);
    }
  });

  it('carries backup requests and events', () => {
    const events = [
      { kind: 'progress', progress },
      { kind: 'backup', backup },
    ] as const;
    for (const event of events) {
      const wire = protocol.BackupEvent.serialize(codec.backupEventToMessage(event));
      assert.deepEqual(plain(codec.backupEventFromMessage(protocol.BackupEvent.deserialize(wire))), event);
    }
    assert.equal(codec.backupEventFromMessage(protocol.BackupEvent.deserialize(Buffer.alloc(0))), null);
    const request = { nodes: ['shard-1'], type: 'full' } as const;
    const wire = protocol.CreateBackupRequest.serialize(codec.backupRequestToMessage(request));
    assert.deepEqual(plain(codec.backupRequestFromMessage(protocol.CreateBackupRequest.deserialize(wire))), request);
    assert.throws(() => codec.backupRequestFromMessage({ nodes: [], type: 'partial' }), { code: 'TM-USAGE-001' });
  });

  it('carries restore requests, plans and events', () => {
    const request: RestoreRequest = {
      snapshotId: 'latest',
      targets: [
        {
          node: 'shard-1',
          agentAddress: '10.0.0.7:7320',
          directory: '/srv/new',
          port: 5433,
          tablespaceDirectories: { '16400': '/srv/fast' },
        },
      ],
      pause: true,
      assertions: ['SELECT true'],
      settings: { work_mem: '4MB' },
    };
    const requestWire = protocol.RestoreRequest.serialize(restoreCodec.restoreRequestToMessage(request));
    const message = protocol.RestoreRequest.deserialize(requestWire);
    assert.deepEqual(plain(restoreCodec.restoreRequestFromMessage(message)), request);
    assert.throws(() => restoreCodec.restoreRequestFromMessage({ ...message, snapshotId: '' }), {
      code: 'TM-USAGE-001',
    });

    const plan: RestorePlanSummary = {
      snapshot,
      nodes: [
        {
          node: 'shard-1',
          backupId: 'b1',
          walFromLsn: lsn(1n),
          walEndLsn: lsn(2n),
          targetLsn: lsn(3n),
          timeline: 4,
          backupBytes: 5n,
          walBytes: 6n,
          agentAddress: 'a:1',
          directory: '/d',
          inDoubt: snapshot.inDoubt,
        },
      ],
    };
    const planWire = protocol.RestorePlan.serialize(restoreCodec.restorePlanToMessage(plan));
    assert.deepEqual(plain(restoreCodec.restorePlanFromMessage(protocol.RestorePlan.deserialize(planWire))), plan);

    const events: RestoreEvent[] = [
      { kind: 'progress', progress },
      {
        kind: 'report',
        report: {
          restoreId: 'r',
          snapshot,
          nodes: [
            {
              node: 'shard-1',
              agentAddress: 'a:1',
              directory: '/d',
              port: 5433,
              inDoubtCommitted: 1,
              inDoubtRolledBack: 2,
            },
          ],
          durationMs: 1234,
          paused: false,
        },
      },
    ];
    for (const event of events) {
      const wire = protocol.RestoreEvent.serialize(restoreCodec.restoreEventToMessage(event));
      assert.deepEqual(plain(restoreCodec.restoreEventFromMessage(protocol.RestoreEvent.deserialize(wire))), event);
    }
  });

  it('carries the status, also when there is no leader and nothing to restore', () => {
    const status: ClusterStatus = {
      cluster: 'bank',
      state: 'degraded',
      problems: ['one copy is behind'],
      leader: { coordinatorId: 'c1', dataCenter: 'east', address: 'a:1', term: 18_446_744_073_709_551_615n },
      coordinators: [
        { coordinatorId: 'c1', dataCenter: 'east', address: 'a:1', reachable: true, leader: true, repositoryId: 'r' },
      ],
      nodes: [
        {
          node: 'shard-1',
          systemIdentifier: '7',
          timeline: 1,
          instance: 'a',
          agentAddress: 'a:2',
          state: 'streaming',
          problem: '',
          flushLsn: lsn(100n),
          acknowledgedLsn: lsn(90n),
          lagBytes: 10n,
          lagMs: 12,
          copies: [{ dataCenter: 'east', durableLsn: lsn(95n), lagBytes: 5n, connected: true }],
          synchronous: 'unconfirmed',
          synchronousProblem: 'fsync is off',
          lastBackupId: 'b1',
        },
      ],
      lastSnapshot: snapshot,
      copiesRequired: 2,
      recoverable: { fromUs: 1n, toUs: 2n },
      coordination: 'etcd',
      coordinationReachable: true,
      transactions: {
        broken: [
          {
            kind: 'decision-lost',
            gid: 'citus_0_1_2_3',
            reason: 'a crash lost it',
            foundAtUs: 1_795_349_730_122_000n,
            branches: [{ node: 'shard-1', xid: 4_294_967_295, state: 'commit' }],
          },
        ],
        longPrepared: [{ node: 'shard-1', gid: 'g', xid: 7, preparedAtUs: 5n }],
      },
    };
    for (const value of [status, { ...status, leader: null, lastSnapshot: null, recoverable: null }]) {
      const wire = protocol.Status.serialize(statusToMessage(value));
      assert.deepEqual(plain(statusFromMessage(protocol.Status.deserialize(wire))), value);
    }
    assert.equal(
      leaderFromMessage(protocol.Leader.deserialize(protocol.Leader.serialize(leaderToMessage(null)))),
      null,
    );
  });
});

/** protobufjs' objects have prototypes of their own. */
function plain(value: unknown): unknown {
  return structuredClone(value);
}
