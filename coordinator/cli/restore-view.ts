import type { RestorePlanSummary, RestoreReport } from '../../shared/admin/restore.ts';
import { isoTime } from '../../shared/any-time/iso-time.ts';
import { isComputed } from '../../shared/any-time/snapshot-at.ts';
import type { SnapshotSummary } from '../../shared/admin/snapshot.ts';
import { formatLsn } from '../../shared/postgres/lsn.ts';
import { formatBytes, formatDuration, formatTime, plural } from './format.ts';
import { describeGuarantee, renderDecisions } from './snapshot-view.ts';
import { renderFields, renderTable } from './table.ts';

export function renderPlan(plan: RestorePlanSummary): string {
  const { snapshot, nodes } = plan;
  const inDoubt = nodes.flatMap((node) => node.inDoubt);
  const total = nodes.reduce((sum, node) => sum + node.backupBytes + node.walBytes, 0n);
  return [
    renderFields([
      ['snapshot', `${snapshot.id} of ${formatTime(snapshot.timeUs)}`],
      ['class', describeGuarantee(snapshot)],
      ['to be read', formatBytes(total)],
      ['in doubt', plural(inDoubt.length, 'branch').replace('branchs', 'branches')],
    ]),
    renderTable(
      [
        { title: 'NODE' },
        { title: 'BASE BACKUP' },
        { title: 'SIZE', align: 'right' },
        { title: 'WAL FROM' },
        { title: 'TO' },
        { title: 'SIZE', align: 'right' },
        { title: 'TIMELINE', align: 'right' },
        { title: 'TARGET' },
        { title: 'INTO' },
      ],
      nodes.map((node) => [
        node.node,
        node.backupId,
        formatBytes(node.backupBytes),
        formatLsn(node.walFromLsn),
        formatLsn(node.walEndLsn),
        formatBytes(node.walBytes),
        String(node.timeline),
        formatLsn(node.targetLsn),
        `${node.agentAddress} ${node.directory}`.trim(),
      ]),
    ),
    ...(inDoubt.length === 0 ? [] : [renderDecisions(inDoubt)]),
  ].join('\n');
}

export function renderReport(report: RestoreReport): string {
  return [
    renderFields([
      ['restored', `${report.snapshot.id} of ${formatTime(report.snapshot.timeUs)}`],
      ['class', describeGuarantee(report.snapshot)],
      ['took', formatDuration(report.durationMs)],
      [
        'state',
        report.paused
          ? `all nodes stand at the cut, paused; to go on: the same with ${askFor(report.snapshot)}, without --pause`
          : 'open to clients',
      ],
    ]),
    renderTable(
      [
        { title: 'NODE' },
        { title: 'AGENT' },
        { title: 'DIRECTORY' },
        { title: 'PORT', align: 'right' },
        { title: 'COMMITTED', align: 'right' },
        { title: 'ROLLED BACK', align: 'right' },
      ],
      report.nodes.map((node) => [
        node.node,
        node.agentAddress,
        node.directory,
        String(node.port),
        String(node.inDoubtCommitted),
        String(node.inDoubtRolledBack),
      ]),
    ),
  ].join('\n');
}

/** What gives this snapshot again, whatever newer ones there are. */
function askFor({ id, timeUs }: SnapshotSummary): string {
  return isComputed({ id }) ? `--time ${isoTime(Number(timeUs))}` : `--snapshot ${id}`;
}
