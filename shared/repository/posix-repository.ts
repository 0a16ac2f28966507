import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, realpath, rm, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { writeDurably } from './write-durably.ts';
import { REPOSITORY_FORMAT, REPOSITORY_MANIFEST_PATH } from './layout.ts';
import {
  HIDDEN_PREFIX,
  isErrno,
  objectFile,
  openObject,
  storageError,
  syncDirectory,
  TEMPORARY_PREFIX,
} from './posix-paths.ts';
import { PosixReader } from './posix-reader.ts';
import type { ByteRange, CreateResult, ObjectEntry, Repository } from './repository.ts';
import { encodeRepositoryManifest, type RepositoryManifest } from './repository-manifest.ts';
import { WriterLock } from './writer-lock.ts';

const COMPARE_BYTES = 256 * 1024;

interface OpenOptions {
  /** That it must belong to. */
  readonly cluster?: string;
  /** Makes the repository if the directory is missing or empty. One that exists must belong to this cluster; it keeps its id. */
  readonly create?: { readonly cluster: string; readonly repositoryId: string };
}

/**
 * A repository in a directory, owned by this process. An object appears under its name whole and durable or not at all: it is
 * written to a temporary file in the same file system, synced, linked (which never replaces anything), and the
 * directory is synced; so is every directory's parent after the directory was made.
 */
export class PosixRepository implements Repository {
  readonly #reader: PosixReader;
  readonly #lock: WriterLock;
  /** Directories whose own entries in their parents are known to be durable. */
  readonly #durableDirectories = new Set<string>();

  private constructor(reader: PosixReader, lock: WriterLock) {
    this.#reader = reader;
    this.#lock = lock;
    this.#durableDirectories.add(reader.root);
  }

  /**
   * Opens a repository for writing and takes its lock, which the process's end gives back, however it ends. Where there is none,
   * and none is to be made, nothing is written.
   * @throws TidemarkError TM-REPO-011 if there is none, TM-REPO-001 if it cannot be used or is in use, TM-REPO-005 if it belongs
   * to another cluster
   */
  static async open(path: string, options: OpenOptions = {}): Promise<PosixRepository> {
    let lock: WriterLock | undefined;
    try {
      if (options.create === undefined) await PosixReader.open(path);
      else await makeDirectory(path);
      const root = await realpath(path);
      lock = await WriterLock.acquire(root);
      await removeTemporaryFiles(root);
      if (options.create !== undefined) await createManifest(root, options.create);
      const reader = await PosixReader.open(path);
      const { cluster = options.create?.cluster } = options;
      if (cluster !== undefined && cluster !== reader.manifest.cluster) {
        throw new TidemarkError(
          'TM-REPO-005',
          `the repository ${path} belongs to cluster ${reader.manifest.cluster}, not to ${cluster}`,
        );
      }
      return new PosixRepository(reader, lock);
    } catch (error) {
      await lock?.release();
      if (error instanceof TidemarkError) throw error;
      throw new TidemarkError('TM-REPO-001', `${path} cannot be opened as a repository: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  get name(): string {
    return this.#reader.name;
  }

  get manifest(): RepositoryManifest {
    return this.#reader.manifest;
  }

  list(prefix: string): AsyncIterable<ObjectEntry> {
    return this.#reader.list(prefix);
  }

  directories(prefix: string): Promise<readonly string[]> {
    return this.#reader.directories(prefix);
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    return await this.#reader.stat(path);
  }

  read(path: string, range?: ByteRange): AsyncIterable<Buffer> {
    return this.#reader.read(path, range);
  }

  /**
   * The file of a path, for the journal, which appends to files of its own below `journal/`.
   * @throws TidemarkError TM-REPO-006 if the path leaves the repository
   */
  absolutePath(path: string): string {
    return objectFile(this.#reader.root, path);
  }

  /**
   * Makes a directory and those above it, durably. Anyone who makes files in a repository by other means than `create` calls it.
   * @param path relative, without a slash at its end
   */
  async ensureDirectory(path: string): Promise<void> {
    await this.#ensureDirectory(objectFile(this.#reader.root, path));
  }

  async create(path: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<CreateResult> {
    const file = objectFile(this.#reader.root, path);
    const pieces = content instanceof Uint8Array ? [content] : content;
    if ((await this.stat(path)) !== null) {
      await this.#compare(path, pieces);
      return await this.#existing(file);
    }
    const temporary = join(this.#reader.root, `${TEMPORARY_PREFIX}${randomBytes(12).toString('hex')}`);
    try {
      await this.#ensureDirectory(dirname(file));
      await writeDurably(temporary, pieces);
      return await this.#publish(temporary, path);
    } catch (error) {
      throw storageError(error, `write ${path} in ${this.name}`);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /**
   * Publishes a file that lies in the repository as an object, without copying it. The file must not be changed any more; its other name
   * stays.
   * @throws TidemarkError TM-REPO-002 if there is no such file, TM-REPO-004 if the object exists with other bytes
   */
  async link(existingPath: string, path: string): Promise<CreateResult> {
    const existing = objectFile(this.#reader.root, existingPath);
    const file = objectFile(this.#reader.root, path);
    const handle = await openObject(this.#reader.root, existingPath);
    try {
      await handle.sync();
      await this.#ensureDirectory(dirname(file));
      return await this.#publish(existing, path);
    } catch (error) {
      throw storageError(error, `link ${path} in ${this.name}`);
    } finally {
      await handle.close();
    }
  }

  async delete(path: string): Promise<void> {
    const file = objectFile(this.#reader.root, path);
    if ((await this.stat(path)) === null) return;
    try {
      await unlink(file);
      await syncDirectory(dirname(file));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw storageError(error, `delete ${path} in ${this.name}`);
    }
  }

  /** Gives the lock back. */
  async close(): Promise<void> {
    await this.#lock.release();
  }

  async #publish(source: string, path: string): Promise<CreateResult> {
    const file = objectFile(this.#reader.root, path);
    try {
      await link(source, file);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      await this.#compare(path, fileChunks(source));
      return await this.#existing(file);
    }
    await syncDirectory(dirname(file));
    return 'created';
  }

  /** Whoever made the object may have died before it synced the directories. */
  async #existing(file: string): Promise<CreateResult> {
    await this.#ensureDirectory(dirname(file));
    await syncDirectory(dirname(file));
    return 'exists';
  }

  async #compare(path: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const handle = await openObject(this.#reader.root, path);
    try {
      let position = 0;
      for await (const piece of pieces) {
        for (let offset = 0; offset < piece.length; offset += COMPARE_BYTES) {
          const expected = piece.subarray(offset, offset + COMPARE_BYTES);
          if (!(await holds(handle, position, expected))) throw this.#different(path, position);
          position += expected.length;
        }
      }
      if ((await handle.stat()).size !== position) throw this.#different(path, position);
    } finally {
      await handle.close();
    }
  }

  #different(path: string, position: number): TidemarkError {
    return new TidemarkError(
      'TM-REPO-004',
      `${path} exists in ${this.name} with other bytes: they differ at or after byte ${position}`,
    );
  }

  async #ensureDirectory(directory: string): Promise<void> {
    if (this.#durableDirectories.has(directory)) return;
    const parent = dirname(directory);
    await this.#ensureDirectory(parent);
    try {
      await mkdir(directory);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw storageError(error, `make a directory in ${this.name}`);
      if (!(await lstat(directory)).isDirectory()) {
        throw new TidemarkError('TM-REPO-006', `${directory} is not a directory`);
      }
    }
    await syncDirectory(parent);
    this.#durableDirectories.add(directory);
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = await realpath(path); ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === (await realpath(first))) return;
  }
}

async function createManifest(root: string, names: { readonly cluster: string; readonly repositoryId: string }) {
  const others = (await readdir(root)).filter((name) => !name.startsWith(HIDDEN_PREFIX) && name !== 'lost+found');
  if (others.includes(REPOSITORY_MANIFEST_PATH)) return;
  if (others.length > 0) {
    throw new TidemarkError('TM-REPO-001', `${root} is not empty and is no repository`, {
      hint: 'Name an empty or new directory in repository.path.',
    });
  }
  const temporary = join(root, `${TEMPORARY_PREFIX}${randomBytes(12).toString('hex')}`);
  try {
    await writeDurably(temporary, [encodeRepositoryManifest({ format: REPOSITORY_FORMAT, ...names })]);
    await link(temporary, join(root, REPOSITORY_MANIFEST_PATH));
    await syncDirectory(root);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Only the owner calls it: what lies there was left by a process that died. */
async function removeTemporaryFiles(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (name.startsWith(TEMPORARY_PREFIX)) await rm(join(root, name), { force: true });
  }
}

async function* fileChunks(file: string): AsyncIterable<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    while (true) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(COMPARE_BYTES), 0, COMPARE_BYTES, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function holds(handle: FileHandle, position: number, expected: Uint8Array): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(expected.length);
  for (let filled = 0; filled < buffer.length;) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) return false;
    filled += bytesRead;
  }
  return buffer.equals(expected);
}
