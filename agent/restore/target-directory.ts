import { lstat, mkdir, open, readdir, readlink, symlink } from 'node:fs/promises';
import { constants } from 'node:fs';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { BackupManifest } from '../../shared/repository/backup-manifest.ts';
import type { RestoreRequest } from './restore-request.ts';

/** The permissions of everything in the target: like the source's, which may let its group read. */
export interface TargetModes {
  readonly file: number;
  readonly directory: number;
}

/** @throws TidemarkError TM-RESTORE-002 if a directory is there and not empty */
export async function refuseUsedDirectories(request: RestoreRequest): Promise<void> {
  for (const directory of [request.directory, ...Object.values(request.tablespaceDirectories)]) {
    let names: string[];
    try {
      names = await readdir(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new TidemarkError('TM-RESTORE-002', `${directory} cannot be used: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (names.length > 0) {
      throw new TidemarkError('TM-RESTORE-002', `${directory} is not empty: it holds ${names.slice(0, 3).join(', ')}`);
    }
  }
}

/**
 * Every tablespace of the backup must have been given a directory of this host, and nothing else may have: the places that the source
 * used may be a living server's.
 * @throws TidemarkError TM-RESTORE-003
 */
export function checkTablespaces(manifest: BackupManifest, request: RestoreRequest): void {
  const named = new Set(Object.keys(request.tablespaceDirectories));
  for (const { oid, location } of manifest.tablespaces) {
    if (!named.delete(String(oid)) && !isInPlace(oid, location)) {
      throw new TidemarkError('TM-RESTORE-003', `tablespace ${oid} (was ${location}) has no directory`, {
        hint: 'Name a directory on the target host for each tablespace of the backup.',
      });
    }
  }
  const [unknown] = named;
  if (unknown !== undefined) {
    throw new TidemarkError('TM-RESTORE-003', `backup ${manifest.id} has no tablespace ${unknown}`);
  }
}

export function isInPlace(oid: number, location: string): boolean {
  return location === `pg_tblspc/${oid}`;
}

export function targetModes(manifest: BackupManifest): TargetModes {
  const group = manifest.files.some((file) => (file.mode & 0o040) !== 0);
  return group ? { file: 0o640, directory: 0o750 } : { file: 0o600, directory: 0o700 };
}

/**
 * Makes the directories, the tablespaces' links, and every file in its final size. May be repeated.
 * @param isKept whether a file holds content already that is to stay
 */
export async function layOut(
  manifest: BackupManifest,
  request: RestoreRequest,
  modes: TargetModes,
  isKept: (path: string) => boolean,
): Promise<void> {
  await makeDirectory(request.directory, modes.directory);
  await makeDirectory(path.join(request.directory, 'pg_tblspc'), modes.directory);
  for (const [oid, directory] of Object.entries(request.tablespaceDirectories)) {
    await makeDirectory(directory, modes.directory);
    await makeLink(path.join(request.directory, 'pg_tblspc', oid), directory);
  }
  const linked = new Set(Object.keys(request.tablespaceDirectories).map((oid) => `pg_tblspc/${oid}`));
  for (const directory of [...manifest.directories].sort()) {
    if (!linked.has(directory)) await makeDirectory(path.join(request.directory, directory), modes.directory);
  }
  for (const { path: name, sizeBytes } of manifest.files) {
    await makeFile(path.join(request.directory, name), sizeBytes, modes.file, isKept(name));
  }
}

async function makeDirectory(directory: string, mode: number): Promise<void> {
  await mkdir(directory, { recursive: true, mode });
  const stats = await lstat(directory);
  if (!stats.isDirectory()) {
    throw new TidemarkError('TM-REPO-006', `${directory} is not a directory of its own`, {
      hint: 'Name real directories, not links.',
    });
  }
  // The process's umask or an earlier, empty directory may have given other permissions; PostgreSQL insists.
  const handle = await open(directory, 'r');
  try {
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}

async function makeLink(link: string, target: string): Promise<void> {
  try {
    await symlink(target, link);
  } catch (error) {
    const same = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await readlink(link)) === target;
    if (!same) throw error;
  }
}

async function makeFile(file: string, sizeBytes: number, mode: number, keep: boolean): Promise<void> {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_TRUNC } = constants;
  const handle = await open(file, O_WRONLY | O_CREAT | O_NOFOLLOW | (keep ? 0 : O_TRUNC), mode);
  try {
    await handle.chmod(mode);
    await handle.truncate(sizeBytes);
  } finally {
    await handle.close();
  }
}
