import { open } from 'node:fs/promises';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { JOURNAL_PREFIX, checkRelativePath } from '../../shared/repository/layout.ts';
import { isErrno } from '../../shared/repository/posix-paths.ts';
import type { ByteRange, ObjectEntry, ReadableRepository } from '../../shared/repository/repository.ts';
import type { WalStore } from '../journal/wal-store.ts';

const CHUNK_BYTES = 256 * 1024;

interface CopyReaderOptions {
  readonly repository: ReadableRepository & { absolutePath(path: string): string };
  readonly store: WalStore;
}

/**
 * All that a coordinator's copy holds, for others to read: the repository's objects, and below `journal/` the segments that
 * are not finished, as far as they are durable.
 */
export class CopyReader implements ReadableRepository {
  readonly #options: CopyReaderOptions;

  constructor(options: CopyReaderOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.repository.name;
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry, void> {
    if (prefix.startsWith(JOURNAL_PREFIX) || JOURNAL_PREFIX.startsWith(prefix)) {
      for (const file of await this.#options.store.journalFiles()) {
        if (file.path.startsWith(prefix)) yield file;
      }
    }
    if (prefix.startsWith(JOURNAL_PREFIX)) return;
    for await (const entry of this.#options.repository.list(prefix)) {
      if (!entry.path.startsWith(JOURNAL_PREFIX)) yield entry;
    }
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    checkRelativePath('object', path);
    if (!path.startsWith(JOURNAL_PREFIX)) return this.#options.repository.stat(path);
    return (await this.#options.store.journalFiles()).find((file) => file.path === path) ?? null;
  }

  async *read(path: string, range: ByteRange = { offsetBytes: 0 }): AsyncGenerator<Buffer, void> {
    checkRelativePath('object', path);
    if (path.startsWith(JOURNAL_PREFIX)) yield* this.#readJournal(path, range);
    else yield* this.#options.repository.read(path, range);
  }

  async *#readJournal(path: string, range: ByteRange): AsyncGenerator<Buffer, void> {
    const entry = await this.stat(path);
    if (entry === null) throw missing(path, this.name);
    let offset = range.offsetBytes;
    const end = Math.min(entry.sizeBytes, offset + (range.lengthBytes ?? entry.sizeBytes));
    let handle;
    try {
      handle = await open(this.#options.repository.absolutePath(path), 'r');
    } catch (error) {
      throw isErrno(error, 'ENOENT') ? missing(path, this.name) : error;
    }
    try {
      while (offset < end) {
        const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - offset));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) throw new TidemarkError('TM-REPO-003', `${path} in ${this.name} has become shorter`);
        offset += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }
}

function missing(path: string, name: string): TidemarkError {
  return new TidemarkError('TM-REPO-002', `${path} does not exist in ${name}`, {
    hint: 'A segment that was finished meanwhile has moved below nodes/.',
  });
}
