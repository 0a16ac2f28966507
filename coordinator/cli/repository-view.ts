import { type BackupSummary, summarizeBackup } from '../../shared/admin/backup.ts';
import type { SnapshotSummary } from '../../shared/admin/snapshot.ts';
import type { RepositoryInspection } from '../../shared/cluster-restore/bare-repository.ts';
import { formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { RepositoryManifest } from '../../shared/repository/repository-manifest.ts';
import type { Finding } from '../../shared/verification/finding.ts';
import { renderBackups } from './backup-commands.ts';
import { formatBytes, formatTime } from './format.ts';
import { renderSnapshots } from './snapshot-view.ts';
import { renderFields, renderTable } from './table.ts';

/** What `repository list` prints. */
interface InspectionSummary {
  readonly cluster: string;
  readonly repositoryId: string;
  /** Any time in it can be restored from this copy alone; null if nothing can. */
  readonly recoverable: { readonly fromUs: bigint; readonly toUs: bigint } | null;
  readonly snapshots: readonly SnapshotSummary[];
  readonly backups: readonly BackupSummary[];
  readonly wal: readonly {
    readonly node: string;
    readonly systemIdentifier: string;
    readonly timeline: number;
    readonly startLsn: Lsn;
    readonly endLsn: Lsn;
  }[];
  readonly problems: readonly { readonly subject: string; readonly problem: string }[];
}

export function summarizeInspection(manifest: RepositoryManifest, inspection: RepositoryInspection): InspectionSummary {
  const { contents, damaged } = inspection;
  return {
    cluster: manifest.cluster,
    repositoryId: manifest.repositoryId,
    recoverable: recoverableWindow(inspection.summaries),
    snapshots: inspection.summaries,
    backups: inspection.backups.map((backup) => summarizeBackup(backup, [])),
    wal: inspection.wal.map(({ stream, startLsn, endLsn }) => ({
      node: stream.node,
      systemIdentifier: stream.systemIdentifier,
      timeline: stream.timeline,
      startLsn,
      endLsn,
    })),
    problems: [
      ...contents.unreadable.map(({ path, error }) => ({ subject: path, problem: messageOf(error) })),
      ...damaged.map(({ id, error }) => ({ subject: `snapshot ${id}`, problem: messageOf(error) })),
    ],
  };
}

/** From the first to the last complete snapshot that can be restored. */
function recoverableWindow(snapshots: readonly SnapshotSummary[]): InspectionSummary['recoverable'] {
  const timesUs = snapshots.filter((one) => one.complete && one.restorable).map(({ timeUs }) => timeUs);
  const [first, ...others] = timesUs;
  if (first === undefined) return null;
  return {
    fromUs: others.reduce((least, timeUs) => (timeUs < least ? timeUs : least), first),
    toUs: others.reduce((most, timeUs) => (timeUs > most ? timeUs : most), first),
  };
}

export function renderInspection(summary: InspectionSummary): string {
  const parts = [
    renderFields([
      ['cluster', summary.cluster],
      ['repository', summary.repositoryId],
      [
        'recoverable',
        summary.recoverable === null
          ? 'nothing'
          : `${formatTime(summary.recoverable.fromUs)} to ${formatTime(summary.recoverable.toUs)}`,
      ],
    ]),
    renderSnapshots(summary.snapshots),
    renderBackups(summary.backups),
    summary.wal.length === 0
      ? 'There is no WAL.\n'
      : renderTable(
          [
            { title: 'WAL OF' },
            { title: 'SYSTEM IDENTIFIER' },
            { title: 'TIMELINE', align: 'right' },
            { title: 'FROM' },
            { title: 'TO' },
            { title: 'SIZE', align: 'right' },
          ],
          summary.wal.map((range) => [
            range.node,
            range.systemIdentifier,
            String(range.timeline),
            formatLsn(range.startLsn),
            formatLsn(range.endLsn),
            formatBytes(range.endLsn - range.startLsn),
          ]),
        ),
  ];
  if (summary.problems.length > 0) {
    parts.push(
      renderTable(
        [{ title: 'CANNOT BE READ' }, { title: 'WHY' }],
        summary.problems.map(({ subject, problem }) => [subject, problem]),
      ),
    );
  }
  return parts.join('\n');
}

export function renderFindings(repository: string, findings: readonly Finding[]): string {
  const sound = findings.every(({ kind }) => kind === 'lost') ? `${repository} is sound.\n` : '';
  if (findings.length === 0) {
    return sound;
  }
  return (
    sound +
    renderTable(
      [{ title: 'KIND' }, { title: 'WHERE' }, { title: 'WHAT' }],
      findings.map(({ kind, subject, problem }) => [kind, subject, problem]),
    )
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
