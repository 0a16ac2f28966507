import { lstat, readdir, realpath } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { dirname, join } from 'node:path';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { checkRelativePath, REPOSITORY_MANIFEST_PATH } from './layout.ts';
import { HIDDEN_PREFIX, isErrno, objectFile, openObject, storageError } from './posix-paths.ts';
import type { ByteRange, ObjectEntry, ReadableRepository } from './repository.ts';
import { decodeRepositoryManifest, type RepositoryManifest } from './repository-manifest.ts';

const CHUNK_BYTES_MAX = 1024 * 1024;

/**
 * A repository in a directory, for reading: nothing else has to run, and a coordinator may be writing it. Only regular files
 * that are reached through no symbolic link are objects. Files below `journal/` may grow while they are read.
 */
export class PosixReader implements ReadableRepository {
  readonly name: string;
  /** The directory, absolute and without symbolic links. */
  readonly root: string;
  readonly manifest: RepositoryManifest;

  private constructor(name: string, root: string, manifest: RepositoryManifest) {
    this.name = name;
    this.root = root;
    this.manifest = manifest;
  }

  /**
   * Opens a repository that exists.
   * @throws TidemarkError TM-REPO-011 if there is none, TM-REPO-001 if it cannot be read, TM-REPO-003 if its manifest is damaged, TM-REPO-008 for a newer format
   */
  static async open(path: string): Promise<PosixReader> {
    let root: string | undefined;
    let bytes: Buffer;
    try {
      root = await realpath(path);
      const handle = await openObject(root, REPOSITORY_MANIFEST_PATH);
      try {
        bytes = await handle.readFile();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isErrno(error, 'ENOENT') || (error instanceof TidemarkError && error.code === 'TM-REPO-002')) {
        const what = root === undefined ? 'it does not exist' : `it has no ${REPOSITORY_MANIFEST_PATH}`;
        throw new TidemarkError('TM-REPO-011', `${path} is no repository: ${what}`, { cause: error });
      }
      const reason = (error as Error).message;
      throw new TidemarkError('TM-REPO-001', `${path} cannot be opened as a repository: ${reason}`, { cause: error });
    }
    return new PosixReader(path, root, decodeRepositoryManifest(bytes, path));
  }

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    if (prefix !== '') checkRelativePath('prefix', prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
    const slash = prefix.lastIndexOf('/');
    yield* this.#walk(slash < 0 ? '' : prefix.slice(0, slash + 1), prefix);
  }

  /** The names of the directories right below `prefix` (empty, or ending in a slash), in order. */
  async directories(prefix: string): Promise<readonly string[]> {
    if (prefix !== '') checkRelativePath('prefix', prefix.replace(/\/$/, ''));
    return (await this.#entries(prefix)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  /** @param directory relative, empty or ending in a slash */
  async *#walk(directory: string, prefix: string): AsyncIterable<ObjectEntry> {
    for (const entry of await this.#entries(directory)) {
      const path = `${directory}${entry.name}`;
      if (entry.isDirectory()) {
        const inside = `${path}/`;
        if (inside.startsWith(prefix) || prefix.startsWith(inside)) yield* this.#walk(inside, prefix);
      } else if (entry.isFile() && path.startsWith(prefix)) {
        const found = await this.stat(path);
        if (found !== null) yield found;
      }
    }
  }

  /** In the order of the paths below: a directory sorts as its name with a slash. Empty if the directory is not there. */
  async #entries(directory: string): Promise<Dirent[]> {
    let entries: Dirent[];
    try {
      const path = join(this.root, directory);
      // A prefix may lead through a link, which would show what is not ours.
      if (directory !== '' && (await realpath(path)) !== path.replace(/\/$/, '')) return [];
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
      throw storageError(error, `list ${directory} in ${this.name}`);
    }
    const visible = entries.filter(
      // mkfs puts lost+found into the root of a file system; nobody but root can read it.
      (entry) => !entry.name.startsWith(HIDDEN_PREFIX) && !(directory === '' && entry.name === 'lost+found'),
    );
    const key = (entry: Dirent) => (entry.isDirectory() ? `${entry.name}/` : entry.name);
    return visible.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    const file = objectFile(this.root, path);
    try {
      if ((await realpath(dirname(file))) !== dirname(file)) return null;
      const found = await lstat(file);
      return found.isFile() ? { path, sizeBytes: found.size } : null;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
      throw storageError(error, `look at ${path} in ${this.name}`);
    }
  }

  async *read(path: string, range: ByteRange = { offsetBytes: 0 }): AsyncIterable<Buffer> {
    const handle = await openObject(this.root, path);
    try {
      let position = range.offsetBytes;
      const end = range.lengthBytes === undefined ? Number.MAX_SAFE_INTEGER : position + range.lengthBytes;
      if (position > 0 && (await handle.stat()).size < position) throw this.#short(path, position);
      let known = Math.max(0, (await handle.stat()).size - position);
      while (position < end) {
        const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK_BYTES_MAX, end - position, known || 4096)));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) {
          if (range.lengthBytes === undefined) return;
          throw this.#short(path, end);
        }
        position += bytesRead;
        known = Math.max(0, known - bytesRead);
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      throw storageError(error, `read ${path} in ${this.name}`);
    } finally {
      await handle.close();
    }
  }

  #short(path: string, wanted: number): TidemarkError {
    return new TidemarkError('TM-REPO-003', `${path} in ${this.name} ends before byte ${wanted}`);
  }
}
