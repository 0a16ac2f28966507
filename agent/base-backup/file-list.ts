import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { checkRelativePath } from '../../shared/repository/layout.ts';
import { CONTROL_FILE_PATH } from '../../shared/postgres/pg-control.ts';
import { isEmptiedDirectory, isLeftOut } from './exclusions.ts';
import { isRelationDirectory, isTemporaryRelation, parseRelationFile, type RelationFile } from './relation-file.ts';

/** A file to be backed up, as it was when it was listed. */
export interface ListedFile {
  /** Relative to the data directory, through `pg_tblspc/<oid>` for a tablespace's. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly modifiedAtUs: number;
  /** Null for a file that belongs to no relation. */
  readonly relation: RelationFile | null;
}

export interface ListedTablespace {
  readonly oid: number;
  /** Where the link goes; `pg_tblspc/<oid>` for a tablespace in place (allow_in_place_tablespaces). */
  readonly location: string;
}

export interface FileList {
  /** Without pg_control, which is read last. */
  readonly files: readonly ListedFile[];
  readonly directories: readonly string[];
  readonly tablespaces: readonly ListedTablespace[];
}

/** PostgreSQL expects these, empty or not, but pg_wal is not read. */
const WAL_DIRECTORIES = ['pg_wal/archive_status', 'pg_wal/summaries'];
const STAT_AT_ONCE_MAX = 64;
const TABLESPACE = /^pg_tblspc\/([1-9]\d*)$/;

/**
 * Lists the data directory of a running server. Entries that vanish meanwhile are no error: the WAL from the backup's start
 * on makes up for them.
 */
export async function listFiles(dataDirectory: string, serverMajor: number): Promise<FileList> {
  const files: ListedFile[] = [];
  const directories: string[] = [];
  const tablespaces: ListedTablespace[] = [];
  const linkedLocations = await tablespaceLocations(dataDirectory);

  const visit = async (directory: string): Promise<void> => {
    const names = await readNames(path.join(dataDirectory, directory));
    const unlogged = isRelationDirectory(directory) ? unloggedRelations(names) : null;
    const inTablespace = TABLESPACE.test(directory);
    // A location may be shared with a server of another major version, each in a directory of its own.
    const wanted = names.filter((name) => !isLeftOut(name) && (!inTablespace || name.startsWith(`PG_${serverMajor}_`)));
    for (let at = 0; at < wanted.length; at += STAT_AT_ONCE_MAX) {
      const some = wanted.slice(at, at + STAT_AT_ONCE_MAX);
      const found = await Promise.all(some.map((name) => statOf(path.join(dataDirectory, directory, name), lstat)));
      for (const [index, name] of some.entries()) {
        const stats = found[index] ?? null;
        if (stats !== null) await add(directory === '' ? name : `${directory}/${name}`, name, stats, unlogged);
      }
    }
  };

  const add = async (
    relative: string,
    name: string,
    stats: Stats,
    unlogged: ReadonlySet<string> | null,
  ): Promise<void> => {
    checkRelativePath('file of the data directory', relative);
    if (stats.isSymbolicLink()) {
      await addLink(relative);
    } else if (stats.isDirectory()) {
      const inPlace = TABLESPACE.exec(relative);
      if (inPlace !== null) tablespaces.push({ oid: Number(inPlace[1]), location: relative });
      await addDirectory(relative);
    } else if (stats.isFile() && relative !== CONTROL_FILE_PATH) {
      const relation = unlogged === null ? null : parseRelationFile(name);
      if (relation !== null && relation.fork !== 'init' && unlogged?.has(relation.relation) === true) return;
      if (unlogged !== null && directory0(relative) !== 'global' && isTemporaryRelation(name)) return;
      files.push(listed(relative, stats, relation));
    }
    // Sockets, pipes and devices are not the database's.
  };

  const addDirectory = async (relative: string): Promise<void> => {
    // A tablespace inside of the data directory is read through its link.
    if (linkedLocations.has(path.join(dataDirectory, relative))) return;
    directories.push(relative);
    if (relative === 'pg_wal') directories.push(...WAL_DIRECTORIES);
    if (!isEmptiedDirectory(relative)) await visit(relative);
  };

  /** Links are followed for tablespaces and for pg_wal and its like, whose content is left out anyway. */
  const addLink = async (relative: string): Promise<void> => {
    const target = await statOf(path.join(dataDirectory, relative), stat);
    if (target === null) return;
    const match = TABLESPACE.exec(relative);
    if (match !== null) {
      const location = await readlink(path.join(dataDirectory, relative));
      tablespaces.push({ oid: Number(match[1]), location });
      await addDirectory(relative);
    } else if (target.isDirectory() && isEmptiedDirectory(relative)) {
      await addDirectory(relative);
    } else if (target.isFile()) {
      files.push(listed(relative, target, null));
    } else {
      throw new TidemarkError('TM-BACKUP-001', `${path.join(dataDirectory, relative)} is a link to a directory`, {
        hint: 'A backup follows links only for tablespaces and pg_wal. Move the directory into its place.',
        retryable: false,
      });
    }
  };

  await visit('');
  return { files, directories, tablespaces };
}

function listed(relative: string, stats: Stats, relation: RelationFile | null): ListedFile {
  return {
    path: relative,
    sizeBytes: stats.size,
    mode: stats.mode & 0o777,
    modifiedAtUs: Math.max(0, Math.round(stats.mtimeMs * 1000)),
    relation,
  };
}

function directory0(relative: string): string {
  return relative.slice(0, relative.indexOf('/'));
}

/** A relation with an init fork is unlogged: a restore makes its other forks from that. */
function unloggedRelations(names: readonly string[]): ReadonlySet<string> {
  const unlogged = new Set<string>();
  for (const name of names) {
    const file = parseRelationFile(name);
    if (file?.fork === 'init') unlogged.add(file.relation);
  }
  return unlogged;
}

async function tablespaceLocations(dataDirectory: string): Promise<ReadonlySet<string>> {
  const top = path.join(dataDirectory, 'pg_tblspc');
  const locations = new Set<string>();
  for (const name of await readNames(top)) {
    const stats = await statOf(path.join(top, name), lstat);
    if (stats?.isSymbolicLink() === true) locations.add(await readlink(path.join(top, name)));
  }
  return locations;
}

async function readNames(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

async function statOf(file: string, read: (file: string) => Promise<Stats>): Promise<Stats | null> {
  try {
    return await read(file);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
