import assert from 'node:assert/strict';
import { renderStatus } from '../../../../coordinator/cli/status-command.ts';
import { toJson } from '../../../../coordinator/cli/json.ts';
import type { ClusterStatus } from '../../../../shared/admin/status.ts';

const SECOND_US = 1_000_000n;

const status: ClusterStatus = {
  cluster: 'bank',
  state: 'degraded',
  problems: [],
  leader: null,
  coordinators: [],
  nodes: [],
  lastSnapshot: null,
  copiesRequired: 1,
  recoverable: null,
  coordination: 'embedded',
  coordinationReachable: true,
  transactions: {
    broken: [
      {
        kind: 'torn',
        gid: 'citus_0_8435_1_0',
        reason: 'committed on w1 and rolled back on w2',
        foundAtUs: 70n * SECOND_US,
        branches: [
          { node: 'w1', xid: 3668, state: 'commit' },
          { node: 'w2', xid: 3440, state: 'rollback' },
        ],
      },
    ],
    longPrepared: [{ node: 'w2', gid: 'left', xid: 7, preparedAtUs: 10n * SECOND_US }],
  },
};

describe('the status', () => {
  it('names transactions that can never be whole, and those that were left prepared, with GIDs and nodes', () => {
    const text = renderStatus(status, 100n * SECOND_US);
    assert.match(
      text,
      /citus_0_8435_1_0 +30(?:\.0)? ?s ago +w1 3668 commit, w2 3440 rollback +committed on w1 and rolled back/,
    );
    assert.match(text, /left +w2 +7 +/);
    const none = renderStatus({ ...status, transactions: { broken: [], longPrepared: [] } }, 0n);
    assert.doesNotMatch(none, /BROKEN|PREPARED/);
  });

  it('has them in JSON', () => {
    const json = JSON.parse(JSON.stringify(toJson(status))) as { transactions: unknown };
    assert.deepEqual(json.transactions, {
      broken: [
        {
          kind: 'torn',
          gid: 'citus_0_8435_1_0',
          reason: 'committed on w1 and rolled back on w2',
          found_at: '1970-01-01T00:01:10.000000Z',
          branches: [
            { node: 'w1', xid: 3668, state: 'commit' },
            { node: 'w2', xid: 3440, state: 'rollback' },
          ],
        },
      ],
      long_prepared: [{ node: 'w2', gid: 'left', xid: 7, prepared_at: '1970-01-01T00:00:10.000000Z' }],
    });
  });
});
