import assert from 'node:assert/strict';
import { renderReport } from '../../../../coordinator/cli/restore-view.ts';
import type { SnapshotSummary } from '../../../../shared/admin/snapshot.ts';

const SNAPSHOT: SnapshotSummary = {
  id: '20261122T121530.250Z-0000',
  timeUs: 1_795_349_730_250_417n,
  label: '',
  class: { kind: 'bounded', boundUs: 2_000 },
  complete: true,
  cut: [],
  inDoubt: [],
  dataCenters: [],
  restorable: true,
};

describe('the report of a paused restore', () => {
  const render = (snapshot: SnapshotSummary) =>
    renderReport({ restoreId: 'r', snapshot, nodes: [], durationMs: 1_000, paused: true });

  it('says how to go on with the same state', () => {
    assert.match(render(SNAPSHOT), /the same with --snapshot 20261122T121530\.250Z-0000, without --pause/);
    // There is no manifest of one that was computed for a time.
    assert.match(
      render({ ...SNAPSHOT, id: 'at-20261122T121530250417Z-0a1b2c' }),
      /the same with --time 2026-11-22T12:15:30\.250417Z, without --pause/,
    );
  });

  it('names the moment before whose state is causal', () => {
    assert.match(
      render({ ...SNAPSHOT, causalBeforeUs: SNAPSHOT.timeUs - 1_000n }),
      /bounded \(2 ms\); causal at \S+249417Z/,
    );
  });
});
