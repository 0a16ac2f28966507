import type { BackupSummary } from '../../shared/admin/backup.ts';
import { formatLsn } from '../../shared/postgres/lsn.ts';
import { backupFromMessage } from '../../shared/rpc/admin-codec.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import { createBackups } from './backup-creation.ts';
import { listOption, onlyArgument, type CommandSpec } from './command.ts';
import { formatBytes, formatDuration, formatTime } from './format.ts';
import { renderFields, renderTable } from './table.ts';

const READ_DEADLINE_MS = 30_000;

export const backupCommands: readonly CommandSpec[] = [
  {
    path: 'backup create',
    summary: 'take base backups',
    options: [
      { flags: '--node <name>', summary: 'only of this node; may be repeated', repeatable: true },
      { flags: '--type <type>', summary: 'what to take', choices: ['full'], default: 'full' },
    ],
    run: async ({ coordinator, output, clock, signal }, _args, options) => {
      const { admin } = await coordinator();
      const backups = await createBackups(admin, {
        nodes: listOption(options, 'node'),
        clock,
        random: Math.random,
        signal,
        onProgress: (progress) => output.progress(progress),
      });
      output.result({ backups }, () => renderBackups(backups));
    },
  },
  {
    path: 'backup list',
    summary: 'list base backups, newest first',
    run: async ({ coordinator, output, signal }) => {
      const { admin } = await coordinator();
      const answer = await callUnary(admin, 'ListBackups', {}, { deadlineMs: READ_DEADLINE_MS, signal });
      const backups = answer.backups.map(backupFromMessage);
      output.result({ backups }, () => renderBackups(backups));
    },
  },
  {
    path: 'backup show',
    summary: 'show one base backup',
    arguments: [{ name: 'id', summary: 'a base backup' }],
    run: async ({ coordinator, output, signal }, args) => {
      const { admin } = await coordinator();
      const settings = { deadlineMs: READ_DEADLINE_MS, signal };
      const backup = backupFromMessage(await callUnary(admin, 'GetBackup', { id: onlyArgument(args) }, settings));
      output.result(backup, () => renderBackup(backup));
    },
  },
];

export function renderBackups(backups: readonly BackupSummary[]): string {
  if (backups.length === 0) {
    return 'There are no base backups.\n';
  }
  return renderTable(
    [
      { title: 'BACKUP' },
      { title: 'NODE' },
      { title: 'TYPE' },
      { title: 'FINISHED' },
      { title: 'TOOK', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'STORED', align: 'right' },
      { title: 'START' },
      { title: 'STOP' },
      { title: 'BAD FILES', align: 'right' },
      { title: 'COPIES' },
    ],
    backups.map((backup) => [
      backup.id,
      backup.node,
      backup.type,
      formatTime(backup.finishedAtUs),
      tookOf(backup),
      formatBytes(backup.bytes),
      formatBytes(backup.storedBytes),
      formatLsn(backup.startLsn),
      formatLsn(backup.stopLsn),
      String(backup.badFiles.length),
      backup.dataCenters.join(', ') || '-',
    ]),
  );
}

export function renderBackup(backup: BackupSummary): string {
  return renderFields([
    ['backup', backup.id],
    ['node', backup.node],
    ['type', backup.type],
    ['system identifier', backup.systemIdentifier],
    ['PostgreSQL', String(Math.floor(backup.serverVersionNum / 10_000))],
    ['timeline', String(backup.timeline)],
    ['start', `${formatTime(backup.startedAtUs)} at ${formatLsn(backup.startLsn)}`],
    ['stop', `${formatTime(backup.finishedAtUs)} at ${formatLsn(backup.stopLsn)}`],
    ['took', tookOf(backup)],
    ['size', `${formatBytes(backup.bytes)} in ${backup.files} files`],
    ['stored', formatBytes(backup.storedBytes)],
    ['pages verified', String(backup.pagesVerified)],
    ['bad files', backup.badFiles.join(', ') || 'none'],
    ['data centres', backup.dataCenters.join(', ') || '-'],
  ]);
}

function tookOf(backup: BackupSummary): string {
  return formatDuration(Number((backup.finishedAtUs - backup.startedAtUs) / 1000n));
}
