import assert from 'node:assert/strict';
import type { Lsn } from '../../../../shared/postgres/lsn.ts';
import type { Snapshot, SnapshotClass } from '../../../../shared/repository/snapshot-manifest.ts';
import type { TimedEvent, TimedHistory } from './simulated-clocks.ts';

const isCommit = ({ kind }: TimedEvent) => kind === 'commit' || kind === 'commit-prepared';

/** Asserts, by what is true of a history and nobody sees, that a cut at a moment is what it says. */
export function assertTrueCut(
  history: TimedHistory,
  momentUs: number,
  cut: Pick<Snapshot, 'inDoubt'> & { readonly nodes: readonly { readonly node: string; readonly targetLsn: Lsn }[] },
  promise: SnapshotClass,
): void {
  const inside = held(history, cut);
  const outside = history.events.filter((event) => !inside.has(event));
  // Closed (R1), by the truth.
  for (const commit of inside) {
    if (commit.kind !== 'commit-prepared') continue;
    for (const event of outside) {
      assert(event.kind !== 'prepare' || event.transaction !== commit.transaction, 'a commit without a PREPARE');
    }
  }
  // Resolved (R2): what is in doubt, and how it ends.
  const committed = new Set([...inside].filter(isCommit).map(({ transaction }) => transaction));
  committed.delete(-1);
  const open = [...inside].filter(
    (event) =>
      event.kind === 'prepare' &&
      ![...inside].some((end) => end.node === event.node && end.xid === event.xid && end.kind !== 'prepare'),
  );
  assert.deepEqual(
    cut.inDoubt.map(({ node, xid, decision }) => `${node} ${xid} ${decision}`).sort(),
    open
      .map(({ node, xid, transaction }) => `${node} ${xid} ${committed.has(transaction) ? 'commit' : 'rollback'}`)
      .sort(),
  );
  // Nothing that is visible after the restore happened later.
  for (const event of inside) assert(!isCommit(event) || event.recordedUs <= momentUs, 'something later than T');
  const boundUs = promise.kind === 'causal' ? 0 : promise.boundUs;
  // Nothing is left out without need: the state at T, or that long before it, is held as a whole.
  for (const event of outside) assert(event.insertedUs >= momentUs - boundUs || event.kind === 'prepare');
  const visible = (event: TimedEvent) => isCommit(event) && (inside.has(event) || committed.has(event.transaction));
  if (promise.kind === 'causal') {
    // The state at T, where a commit takes place at some moment between its time and its insertion.
    for (const event of history.events.filter(isCommit)) {
      const own = history.events.filter((other) => isCommit(other) && (other === event || isMate(other, event)));
      if (visible(event))
        assert(
          own.some((other) => other.recordedUs <= momentUs),
          'not the state at an instant',
        );
      else
        assert(
          own.every((other) => other.insertedUs > momentUs),
          'not the state at an instant',
        );
    }
  }
  // What somebody may have seen before a commit was asked for is there with it.
  for (const earlier of history.events.filter((event) => isCommit(event) && !visible(event))) {
    for (const later of [...inside].filter(isCommit)) {
      const gapUs = later.recordedUs - earlier.insertedUs;
      assert(gapUs <= 0 || (promise.kind === 'bounded' && gapUs <= boundUs), `reordered over ${gapUs} µs`);
    }
  }
}

function isMate(a: TimedEvent, b: TimedEvent): boolean {
  return a.transaction !== -1 && a.transaction === b.transaction;
}

function held(
  history: TimedHistory,
  cut: { readonly nodes: readonly { readonly node: string; readonly targetLsn: Lsn }[] },
): Set<TimedEvent> {
  const targets = new Map(cut.nodes.map(({ node, targetLsn }) => [node, targetLsn]));
  // The target is inclusive.
  return new Set(history.events.filter((event) => event.lsn <= (targets.get(event.node) ?? 0n)));
}
