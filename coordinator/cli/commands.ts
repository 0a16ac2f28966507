import { backupCommands } from './backup-commands.ts';
import type { CommandSpec } from './command.ts';
import { leaderCommands } from './leader-commands.ts';
import { repositoryCommands } from './repository-commands.ts';
import { repositoryRestoreCommands } from './repository-restore-command.ts';
import { restoreCommands } from './restore-command.ts';
import { snapshotCommands } from './snapshot-commands.ts';
import { statusCommands } from './status-command.ts';

/** Every command: parser and help are made of this. */
export const COMMANDS: readonly CommandSpec[] = [
  ...statusCommands,
  ...backupCommands,
  ...snapshotCommands,
  ...restoreCommands,
  ...leaderCommands,
  ...repositoryCommands,
  ...repositoryRestoreCommands,
];

/** Heads of commands with more than one word. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  backup: 'base backups',
  snapshot: 'consistent cuts of the whole cluster',
  leader: 'the coordinator that leads',
  repository: 'the same on a bare repository, with nothing else running',
};
