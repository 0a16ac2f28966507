import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { Snapshot, SnapshotNode } from '../../../../shared/repository/snapshot-manifest.ts';
import {
  hasBackups,
  planRestore,
  type HeldBackup,
  type RestoreInventory,
  type WalRange,
} from '../../../../shared/restore-plan/restore-plan.ts';

const MIB = 1n << 20n;
const at = (mebibytes: number, bytes = 0): Lsn => lsn(BigInt(mebibytes) * MIB + BigInt(bytes));

const position: SnapshotNode = {
  node: 'a',
  systemIdentifier: '7',
  timeline: 1,
  targetLsn: at(20, 100),
  walEndLsn: at(20, 200),
  walSegmentBytes: Number(MIB),
  sampledLsn: at(20, 300),
  sampled: true,
};

function snapshotOf(...nodes: SnapshotNode[]): Snapshot {
  return {
    id: '20261122T121530123Z-0001',
    timeUs: 0n,
    label: '',
    class: { kind: 'causal' },
    complete: true,
    cluster: 'test',
    coordinatorId: 'east',
    term: 1n,
    nodes,
    inDoubt: [],
    broken: [],
  };
}

function backup(id: string, start: Lsn, stop: Lsn, more: Partial<HeldBackup> = {}): HeldBackup {
  return { id, node: 'a', systemIdentifier: '7', timeline: 1, startLsn: start, stopLsn: stop, bytes: 1n, ...more };
}

function wal(start: Lsn, end: Lsn, timeline = 1, node = 'a'): WalRange {
  return { stream: { node, systemIdentifier: '7', timeline }, startLsn: start, endLsn: end };
}

function plan(inventory: Partial<RestoreInventory>, ...nodes: SnapshotNode[]) {
  return planRestore(snapshotOf(...(nodes.length === 0 ? [position] : nodes)), {
    backups: [],
    wal: [],
    forks: [],
    gaps: [],
    ...inventory,
  });
}

function refuses(inventory: Partial<RestoreInventory>, expected: RegExp, ...nodes: SnapshotNode[]): void {
  assert.throws(
    () => plan(inventory, ...nodes),
    (error: unknown) => {
      assert(error instanceof TidemarkError);
      assert.equal(error.code, 'TM-RESTORE-001');
      assert.match(error.message, expected);
      return true;
    },
  );
}

describe('restore plan', () => {
  it('takes the newest backup that is consistent at the cut, and WAL from its first segment on', () => {
    const backups = [
      backup('old', at(1), at(2)),
      backup('exact', at(10, 40), at(20, 100)),
      backup('late', at(11), at(20, 101)),
    ];
    const [node] = plan({ backups, wal: [wal(at(1), at(21))] }).nodes;
    assert.equal(node?.backup.id, 'exact');
    assert.equal(node.walFromLsn, at(10));
    assert.equal(node.walEndLsn, at(20, 200));
    assert.equal(node.walBytes, Number(10n * MIB + 200n));
  });

  it('names what is missing, of all nodes at once', () => {
    const backups = [backup('b', at(10, 40), at(11))];
    refuses({}, /node a: there is no base backup of it/);
    refuses({ backups, wal: [] }, /WAL of timeline 1 from 0\/A00000 to 0\/14000C8 is missing/);
    refuses(
      { backups, wal: [wal(at(10), at(12)), wal(at(13), at(20, 200))] },
      /from 0\/C00000 to 0\/D00000 is missing$/,
    );
    refuses({ backups, wal: [wal(at(10, 1), at(21))] }, /from 0\/A00000 to 0\/A00001 is missing$/);
    const gaps = [{ ...wal(at(12), at(13)), declaredAtUs: 1_000_000n }];
    refuses(
      { backups, wal: [wal(at(10), at(12)), wal(at(13), at(21))], gaps },
      /from 0\/C00000 to 0\/D00000 is missing; PostgreSQL had no WAL from 0\/C00000 to 0\/D00000 any more, as was found at 1970-01-01T00:00:01/,
    );
    assert.equal(plan({ backups, wal: [wal(at(10), at(21))], gaps }).nodes.length, 1, 'a gap that was filled is none');
    assert.equal(
      plan({
        backups: [...backups, backup('c', at(14), at(15))],
        wal: [wal(at(10), at(12)), wal(at(13), at(21))],
        gaps,
      }).nodes[0]?.backup.id,
      'c',
    );
    refuses({ backups, wal: [wal(at(10), at(20, 199))] }, /from 0\/14000C7 to 0\/14000C8 is missing$/);
    refuses(
      { backups: [backup('late', at(10), at(20, 101))] },
      /no base backup ends at or before its cut 0\/1400064; the first/,
    );
    refuses({ backups: [backup('b', at(1), at(2), { systemIdentifier: '8' })] }, /another PostgreSQL system/);
    refuses({ backups, wal: [wal(at(10), at(21))] }, /cannot be restored: node b: there is no/, position, {
      ...position,
      node: 'b',
    });
    refuses({ wal: [wal(at(10), at(21), 1, 'b')] }, /node a: .*; node b: /, position, { ...position, node: 'b' });
  });

  it('follows the timelines back to the backup, never over a fork that was left before', () => {
    const cut = { ...position, timeline: 3 };
    const fork = (timeline: number, parentTimeline: number, forkLsn: Lsn) => ({
      node: 'a',
      systemIdentifier: '7',
      timeline,
      parentTimeline,
      forkLsn,
    });
    const forks = [fork(2, 1, at(12, 50)), fork(3, 2, at(15, 50))];
    const ranges = [wal(at(5), at(12), 1), wal(at(12), at(15), 2), wal(at(15), at(21), 3)];
    const before = [backup('b', at(5), at(6))];
    assert.equal(plan({ backups: before, forks, wal: ranges }, cut).nodes[0]?.walFromLsn, at(5));
    for (const without of ranges) {
      refuses({ backups: before, forks, wal: ranges.filter((range) => range !== without) }, /is missing/, cut);
    }
    refuses(
      { backups: before, forks: [], wal: ranges },
      /no base backup before .* lies in the history of timeline 3/,
      cut,
    );
    // It ended on timeline 1 after timeline 2 had left it.
    refuses({ backups: [backup('b', at(5), at(13))], forks, wal: ranges }, /lies in the history of timeline 3/, cut);
    assert(hasBackups(snapshotOf(cut), { backups: before, forks }));
    assert(!hasBackups(snapshotOf(cut), { backups: [], forks }));
  });

  it('accepts a set of ranges if and only if it covers every byte', () => {
    const ranges = fc.array(fc.tuple(fc.integer({ min: 8, max: 22 }), fc.integer({ min: 1, max: 6 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(ranges, (drawn) => {
        const held = drawn.map(([start, length]) => wal(at(start), at(start + length)));
        const whole = Array.from({ length: 11 }, (_, index) => at(10 + index)).every((segment) =>
          held.some((range) => range.startLsn <= segment && range.endLsn > segment),
        );
        const attempt = () => plan({ backups: [backup('b', at(10, 40), at(11))], wal: held });
        if (whole) {
          attempt();
        } else {
          assert.throws(attempt, { code: 'TM-RESTORE-001' });
        }
      }),
    );
  });
});
