import type { DecisionSummary, SnapshotSummary } from '../../shared/admin/snapshot.ts';
import { isoTime } from '../../shared/any-time/iso-time.ts';
import { formatLsn } from '../../shared/postgres/lsn.ts';
import type { SnapshotClass } from '../../shared/repository/snapshot-manifest.ts';
import { formatDuration, formatTime } from './format.ts';
import { renderFields, renderTable } from './table.ts';

/** `causal`, or `bounded (2 ms)`. */
export function describeClass(snapshotClass: SnapshotClass): string {
  return snapshotClass.kind === 'causal' ? 'causal' : `bounded (${describeBound(snapshotClass.boundUs)})`;
}

/** Its class, and when it would be causal. */
export function describeGuarantee(snapshot: Pick<SnapshotSummary, 'class' | 'causalBeforeUs'>): string {
  const { causalBeforeUs } = snapshot;
  const before = causalBeforeUs === undefined ? '' : `; causal at ${isoTime(Number(causalBeforeUs))}`;
  return `${describeClass(snapshot.class)}${before}`;
}

function describeBound(boundUs: number): string {
  return boundUs < 1000 ? `${boundUs} µs` : formatDuration(boundUs / 1000);
}

export function renderSnapshots(snapshots: readonly SnapshotSummary[]): string {
  if (snapshots.length === 0) {
    return 'There are no snapshots.\n';
  }
  return renderTable(
    [
      { title: 'SNAPSHOT' },
      { title: 'TIME' },
      { title: 'CLASS' },
      { title: 'COMPLETE' },
      { title: 'RESTORABLE' },
      { title: 'NODES', align: 'right' },
      { title: 'IN DOUBT', align: 'right' },
      { title: 'COPIES' },
      { title: 'LABEL' },
    ],
    snapshots.map((snapshot) => [
      snapshot.id,
      formatTime(snapshot.timeUs),
      describeClass(snapshot.class),
      yesNo(snapshot.complete),
      yesNo(snapshot.restorable),
      String(snapshot.cut.length),
      String(snapshot.inDoubt.length),
      snapshot.dataCenters.join(', ') || '-',
      snapshot.label,
    ]),
  );
}

export function renderSnapshot(snapshot: SnapshotSummary): string {
  const summary = renderFields([
    ['snapshot', snapshot.id],
    ['time', formatTime(snapshot.timeUs)],
    ['label', snapshot.label === '' ? '-' : snapshot.label],
    ['class', describeGuarantee(snapshot)],
    ['complete', yesNo(snapshot.complete)],
    ['restorable', yesNo(snapshot.restorable)],
    ['data centres', snapshot.dataCenters.join(', ') || '-'],
  ]);
  const cut = renderTable(
    [{ title: 'NODE' }, { title: 'SYSTEM IDENTIFIER' }, { title: 'TIMELINE', align: 'right' }, { title: 'TARGET' }],
    snapshot.cut.map((position) => [
      position.node,
      position.systemIdentifier,
      String(position.timeline),
      formatLsn(position.targetLsn),
    ]),
  );
  return [summary, cut, ...(snapshot.inDoubt.length === 0 ? [] : [renderDecisions(snapshot.inDoubt)])].join('\n');
}

export function renderDecisions(decisions: readonly DecisionSummary[]): string {
  return renderTable(
    [
      { title: 'IN DOUBT ON' },
      { title: 'GID' },
      { title: 'XID', align: 'right' },
      { title: 'DATABASE', align: 'right' },
      { title: 'PREPARED AT' },
      { title: 'DECISION' },
    ],
    decisions.map((decision) => [
      decision.node,
      decision.gid,
      String(decision.xid),
      String(decision.databaseOid),
      formatLsn(decision.prepareLsn),
      decision.decision,
    ]),
  );
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
