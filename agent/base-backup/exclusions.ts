/**
 * What a base backup leaves out, as pg_basebackup does (`src/backend/backup/basebackup.c`): things that the server makes
 * anew at its start, that belong to the running server alone, or that would harm the restored one.
 */

/** The directory is kept, its content is not. The name counts at any depth. */
const EMPTIED_DIRECTORIES = new Set([
  'pg_stat_tmp',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_subtrans',
]);

/** The name counts at any depth. */
const LEFT_OUT_FILES = new Set([
  'postgresql.auto.conf.tmp',
  'current_logfiles',
  'current_logfiles.tmp',
  'backup_label',
  'backup_label.old',
  'tablespace_map',
  'tablespace_map.old',
  'backup_manifest',
  'postmaster.pid',
  'postmaster.opts',
  'recovery.signal',
  'standby.signal',
]);

/** Whether the entry, a file or a directory, is left out with everything below it. */
export function isLeftOut(name: string): boolean {
  return (
    LEFT_OUT_FILES.has(name) ||
    name.startsWith('pgsql_tmp') ||
    name.startsWith('pg_internal.init') ||
    name === '.DS_Store'
  );
}

/** Whether the directory is kept without its content. `path` is relative to the data directory. */
export function isEmptiedDirectory(path: string): boolean {
  return path === 'pg_wal' || EMPTIED_DIRECTORIES.has(path.slice(path.lastIndexOf('/') + 1));
}
