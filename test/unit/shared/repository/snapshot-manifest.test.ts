import assert from 'node:assert/strict';
import { parseLsn } from '../../../../shared/postgres/lsn.ts';
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';

const snapshot: Snapshot = {
  id: '20261122T121530123Z-0001',
  timeUs: 1795349730123000n,
  label: 'before the upgrade',
  class: { kind: 'bounded', boundUs: 812 },
  complete: true,
  cluster: 'bank',
  coordinatorId: 'east',
  term: 18446744073709551615n,
  nodes: [
    {
      node: 'shard1',
      systemIdentifier: '7345678901234567890',
      timeline: 3,
      targetLsn: parseLsn('1/2FFFF60'),
      walEndLsn: parseLsn('1/3000040'),
      walSegmentBytes: 16 << 20,
      sampledLsn: parseLsn('1/3000140'),
      sampled: true,
      clock: { nodeTimeUs: 1795349725123456n, offsetUs: -4999876n, uncertaintyUs: 812n },
      originates: ['0', '17'],
    },
  ],
  match: ['citus', { pattern: '^(?<transaction>.+)$' }],
  inDoubt: [
    {
      node: 'shard1',
      gid: 'transfer "7"',
      xid: 4294967295,
      databaseOid: 5,
      prepareLsn: parseLsn('1/2FFFF00'),
      preparedAtUs: 1795349730122000n,
      decision: 'commit',
    },
  ],
  openDecisions: [
    {
      node: 'shard1',
      xid: 4294967295,
      rows: [{ gid: 'citus_0_1_2_3', databaseOid: 5, lsn: parseLsn('1/2FFFF20') }],
    },
  ],
  broken: [
    {
      kind: 'branch-lost',
      gid: 'x',
      reason: 'one branch committed',
      branches: [{ node: 'shard1', xid: 7, state: 'lost' }],
    },
  ],
};

function altered(change: (manifest: Record<string, unknown>) => void): Buffer {
  const manifest = JSON.parse(encodeSnapshot(snapshot).toString()) as Record<string, unknown>;
  change(manifest);
  return Buffer.from(JSON.stringify(manifest));
}

describe('snapshot manifest', () => {
  it('reads what it wrote', () => {
    assert.deepEqual(decodeSnapshot(encodeSnapshot(snapshot), 'test'), snapshot);
    const causal: Snapshot = { ...snapshot, class: { kind: 'causal' } };
    assert.deepEqual(decodeSnapshot(encodeSnapshot(causal), 'test'), causal);
    const { openDecisions: _, ...without } = snapshot;
    assert.deepEqual(decodeSnapshot(encodeSnapshot(without), 'test'), without);
  });

  it('ignores keys that it does not know', () => {
    assert.deepEqual(
      decodeSnapshot(
        altered((manifest) => (manifest['later'] = 1)),
        'test',
      ),
      snapshot,
    );
  });

  it('refuses a newer format, and what is no snapshot', () => {
    const code = (expected: string) => (error: unknown) => (error as { code: string }).code === expected;
    assert.throws(
      () =>
        decodeSnapshot(
          altered((manifest) => (manifest['formatVersion'] = 2)),
          'test',
        ),
      code('TM-REPO-008'),
    );
    assert.throws(() => decodeSnapshot(Buffer.from('{"formatVersion":1'), 'test'), code('TM-REPO-003'));
    assert.throws(
      () =>
        decodeSnapshot(
          altered((manifest) => (manifest['id'] = '../x')),
          'test',
        ),
      code('TM-REPO-003'),
    );
    assert.throws(
      () =>
        decodeSnapshot(
          altered((manifest) => delete manifest['boundUs']),
          'test',
        ),
      code('TM-REPO-003'),
    );
    assert.throws(
      () =>
        decodeSnapshot(
          altered((manifest) => (manifest['nodes'] = [])),
          'test',
        ),
      code('TM-REPO-003'),
    );
  });
});
