import assert from 'node:assert/strict';
import { assembleStatus, type NodeFacts, type StatusFacts } from '../../../../coordinator/admin/assemble-status.ts';
import type { BackupSummary } from '../../../../shared/admin/backup.ts';
import type { TransactionProblems } from '../../../../shared/admin/status.ts';
import type { SnapshotSummary } from '../../../../shared/admin/snapshot.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';

const node: NodeFacts = {
  node: 'shard-1',
  systemIdentifier: '7',
  timeline: 1,
  instance: 'shard-1-a',
  agentAddress: 'a:1',
  state: 'streaming',
  problem: '',
  flushLsn: lsn(1000n),
  acknowledgedLsn: lsn(900n),
  lagMs: 3,
  synchronousMode: { configured: false, problem: '' },
  copies: [
    { dataCenter: 'west', durableLsn: lsn(900n), connected: true },
    { dataCenter: 'east', durableLsn: lsn(1000n), connected: true },
  ],
};

const snapshot = (id: string, timeUs: bigint, changes: Partial<SnapshotSummary> = {}): SnapshotSummary => ({
  id,
  timeUs,
  label: '',
  class: { kind: 'causal' },
  complete: true,
  cut: [],
  inDoubt: [],
  dataCenters: [],
  restorable: true,
  ...changes,
});

const backup = {
  id: 'b1',
  node: 'shard-1',
  systemIdentifier: '7',
  finishedAtUs: 5n,
} as BackupSummary;

const facts: StatusFacts = {
  cluster: 'bank',
  coordination: 'etcd',
  coordinationReachable: true,
  leader: { coordinatorId: 'c1', dataCenter: 'east', address: 'a:1', term: 4n },
  leading: true,
  coordinators: [
    {
      coordinatorId: 'c1',
      dataCenter: 'east',
      address: 'a:1',
      reachable: true,
      repositoryId: 'r1',
      storageProblems: [],
    },
    {
      coordinatorId: 'c2',
      dataCenter: 'west',
      address: 'a:2',
      reachable: true,
      repositoryId: 'r2',
      storageProblems: [],
    },
  ],
  nodes: [node],
  refused: [],
  copiesRequired: 2,
  backups: [
    { ...backup, id: 'b0', finishedAtUs: 1n },
    backup,
    { ...backup, id: 'other', systemIdentifier: '8', finishedAtUs: 9n },
  ],
  snapshots: [
    snapshot('s4', 40_000_000n, { complete: false }),
    snapshot('s3', 30_000_000n),
    snapshot('s2', 20_000_000n),
    snapshot('s1', 10_000_000n, { restorable: false }),
  ],
  recoverableFromUs: 20_000_000n,
  toldUntilUs: 40_500_000n,
  lostWal: new Map(),
  transactions: { broken: [], longPrepared: [] },
  snapshotCurrentAtMs: null,
  nowUs: 41_000_000n,
  snapshotAgeMaxMs: 60_000,
};

describe('assembleStatus', () => {
  it('says ok when everything is as it should be', () => {
    const status = assembleStatus(facts);
    assert.equal(status.state, 'ok');
    assert.deepEqual(status.problems, []);
    assert.equal(status.lastSnapshot?.id, 's3');
    assert.deepEqual(status.recoverable, { fromUs: 20_000_000n, toUs: 40_500_000n });
    assert.equal(status.nodes[0]?.lagBytes, 100n);
    assert.equal(status.nodes[0].lastBackupId, 'b1');
    assert.deepEqual(
      status.nodes[0].copies.map((copy) => [copy.dataCenter, copy.lagBytes]),
      [
        ['east', 0n],
        ['west', 100n],
      ],
    );
    assert.deepEqual(
      status.coordinators.map((one) => one.leader),
      [true, false],
    );
  });

  it('says up to when the cluster can be restored: to the last time that is told, if nothing is missing before it', () => {
    const until = (changes: Partial<StatusFacts>) => assembleStatus({ ...facts, ...changes }).recoverable?.toUs;
    assert.equal(until({ toldUntilUs: null }), 30_000_000n);
    assert.equal(until({ toldUntilUs: 25_000_000n }), 30_000_000n);
    // A newer one cannot be restored, so what follows it cannot be either.
    const unrestorable = snapshot('s5', 35_000_000n, { restorable: false });
    assert.equal(until({ snapshots: [unrestorable, ...facts.snapshots] }), 30_000_000n);
    const cut = [{ node: 'shard-1', systemIdentifier: '7', timeline: 1, targetLsn: lsn(1n) }];
    const snapshots = [snapshot('s3', 30_000_000n, { cut })];
    const lostWal = new Map([['shard-1', [{ timeline: 1, startLsn: lsn(500n), endLsn: lsn(0x2000n) }]]]);
    const backups = (startLsn: bigint) => [{ ...backup, startLsn: lsn(startLsn) }];
    assert.equal(until({ snapshots, lostWal, backups: backups(0x1fffn) }), 30_000_000n);
    assert.equal(until({ snapshots, lostWal, backups: backups(0x2000n) }), 40_500_000n);
    assert.equal(assembleStatus({ ...facts, recoverableFromUs: null }).recoverable, null);
  });

  it('takes the best coordinator of a data centre', () => {
    const copies = [
      { dataCenter: 'east', durableLsn: lsn(800n), connected: true },
      { dataCenter: 'east', durableLsn: lsn(950n), connected: false },
    ];
    const [east] = assembleStatus({ ...facts, nodes: [{ ...node, copies }] }).nodes[0]?.copies ?? [];
    assert.deepEqual(east, { dataCenter: 'east', durableLsn: lsn(950n), lagBytes: 50n, connected: true });
  });

  it('tells of WAL that is lost until a base backup was taken behind it', () => {
    const lostWal = new Map([['shard-1', [{ timeline: 1, startLsn: lsn(500n), endLsn: lsn(0x2000n) }]]]);
    const withBackup = (startLsn: bigint) =>
      assembleStatus({ ...facts, lostWal, backups: [{ ...backup, startLsn: lsn(startLsn) }] });
    assert.equal(withBackup(0x1fffn).state, 'degraded');
    assert.match(withBackup(0x1fffn).problems.join(), /shard-1 has lost WAL from 0\/1F4 to 0\/2000 .*backup create/);
    assert.equal(withBackup(0x2000n).state, 'ok');
  });

  it('does not call a snapshot old while nothing was written since it', () => {
    const status = assembleStatus({ ...facts, nowUs: 100_000_000n, snapshotCurrentAtMs: 99_000 });
    assert.equal(status.state, 'ok');
  });

  const cases: readonly (readonly [string, Partial<StatusFacts>, 'down' | 'degraded', RegExp])[] = [
    ['there is no leader', { leader: null, leading: false }, 'down', /no leader/],
    ['another coordinator answers', { leading: false }, 'degraded', /c1, does not answer/],
    ['etcd is away', { coordinationReachable: false }, 'degraded', /etcd does not answer/],
    [
      'too few data centres are left',
      { coordinators: facts.coordinators.map((one) => ({ ...one, dataCenter: 'east' })) },
      'down',
      /1 of 2 required/,
    ],
    [
      'a coordinator is away',
      { copiesRequired: 1, coordinators: facts.coordinators.map((one, index) => ({ ...one, reachable: index === 0 })) },
      'degraded',
      /c2 in west/,
    ],
    [
      'a disk is full',
      { coordinators: facts.coordinators.map((one) => ({ ...one, storageProblems: ['no space left. Free space'] })) },
      'degraded',
      /c2 in west cannot write its repository: no space left. Free space/,
    ],
    ['no agent runs', { nodes: [] }, 'degraded', /no node has registered/],
    [
      'one of the nodes is broken',
      { nodes: [node, { ...node, node: 'shard-2', state: 'broken', problem: 'WAL is gone' }] },
      'degraded',
      /shard-2 is broken: WAL is gone/,
    ],
    ['no node streams', { nodes: [{ ...node, state: 'waiting' }] }, 'down', /no node is streaming/],
    ['a node has no base backup', { backups: [] }, 'degraded', /no base backup/],
    [
      'a copy is not connected',
      { nodes: [{ ...node, copies: [{ dataCenter: 'west', durableLsn: lsn(1n), connected: false }] }] },
      'degraded',
      /copy in west/,
    ],
    ['there is no snapshot', { snapshots: [] }, 'degraded', /no complete snapshot/],
    ['the last snapshot is old', { nowUs: 100_000_000n }, 'degraded', /s3, is 70 s old/],
  ];
  for (const [name, change, state, problem] of cases) {
    it(`says ${state} when ${name}`, () => {
      const status = assembleStatus({ ...facts, ...change });
      assert.equal(status.state, state);
      assert.match(status.problems.join('\n'), problem);
    });
  }

  it('says which transactions are broken or were left prepared', () => {
    const transactions: TransactionProblems = {
      broken: [{ kind: 'torn', gid: 't', reason: 'committed on a and rolled back on b', foundAtUs: 1n, branches: [] }],
      longPrepared: [
        { node: 'b', gid: 'x', xid: 1, preparedAtUs: 1n },
        { node: 'a', gid: 'y', xid: 2, preparedAtUs: 2n },
      ],
    };
    const status = assembleStatus({ ...facts, transactions });
    assert.equal(status.state, 'degraded');
    assert.deepEqual(status.transactions, transactions);
    assert.deepEqual(status.problems, [
      '1 distributed transaction of the last day can never be whole: see below',
      '2 transactions prepared for long on a, b: locks and old rows are kept',
    ]);
  });
});
