import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { checkRelativePath } from './layout.ts';

/** Files whose name begins with a dot (locks, temporary files) are a repository's own affair and no objects. */
export const HIDDEN_PREFIX = '.';
export const TEMPORARY_PREFIX = '.tmp-';

/**
 * The file of an object.
 * @throws TidemarkError TM-REPO-006 if the path leaves the repository or names a hidden file
 */
export function objectFile(root: string, path: string): string {
  checkRelativePath('object', path);
  if (path.split('/').some((part) => part.startsWith(HIDDEN_PREFIX))) {
    throw new TidemarkError('TM-REPO-006', `object ${JSON.stringify(path)} has a hidden name`);
  }
  return join(root, path);
}

/**
 * Opens an object for reading, through no symbolic link below the root.
 * @param root without symbolic links
 * @throws TidemarkError TM-REPO-002 if there is none, TM-REPO-006 if a link leads to it
 */
export async function openObject(root: string, path: string): Promise<FileHandle> {
  const file = objectFile(root, path);
  try {
    const directory = dirname(file);
    if ((await realpath(directory)) !== directory) throw linked(root, path);
    // Not blocking, so that a pipe somebody put there cannot stop the process.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw missing(root, path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw missing(root, path);
    if (isErrno(error, 'ELOOP')) throw linked(root, path);
    throw storageError(error, `read ${path} in ${root}`);
  }
}

function missing(root: string, path: string): TidemarkError {
  return new TidemarkError('TM-REPO-002', `${path} does not exist in ${root}`);
}

function linked(root: string, path: string): TidemarkError {
  return new TidemarkError('TM-REPO-006', `${path} in ${root} is reached through a symbolic link`);
}

/** Makes the entries of a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** What the operating system said, as an error of the repository's: TM-REPO-007 without room, else TM-REPO-009. */
export function storageError(error: unknown, action: string): unknown {
  if (error instanceof TidemarkError || !(error instanceof Error) || !('syscall' in error)) return error;
  const code = isErrno(error, 'ENOSPC', 'EDQUOT') ? 'TM-REPO-007' : 'TM-REPO-009';
  return new TidemarkError(code, `cannot ${action}: ${error.message}`, { cause: error });
}
