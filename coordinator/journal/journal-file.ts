import { constants, fstatSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { syncDirectory } from '../../shared/repository/posix-paths.ts';

/** What a journal file needs of the file system; stands apart so that tests can make it fail. */
export type OpenFile = (path: string, flags: number, mode: number) => Promise<FileHandle>;

/**
 * A journal file that is being appended to. The first `durableBytes` are durable, and so is its name in the directory; what lies beyond
 * belongs to an append that has not succeeded. After a failure the file is closed for good: the kernel may have
 * dropped the pages that it could not write, so the next `open` cuts them off and they are written anew from memory.
 */
export class JournalFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #durableBytes: number;

  private constructor(path: string, handle: FileHandle, durableBytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#durableBytes = durableBytes;
  }

  /**
   * Opens the file, or makes it, and cuts it off after `durableBytes`. The directory exists.
   * @throws TidemarkError TM-REPO-003 if the file does not hold `durableBytes` any more
   */
  static async open(path: string, durableBytes: number, openFile: OpenFile = open): Promise<JournalFile> {
    // A write that returns is durable: one trip to another thread for each append, where a write and a sync are two.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_DSYNC;
    const handle = await openFile(path, flags, 0o640);
    try {
      const { size } = await handle.stat();
      // Cutting off would make a shorter file longer, with zeros for what is lost.
      if (size < durableBytes) throw lost(path, `has ${size} bytes`);
      await handle.truncate(durableBytes);
      await handle.sync();
      await syncDirectory(dirname(path));
      return new JournalFile(path, handle, durableBytes);
    } catch (error) {
      await closeQuietly(handle);
      throw error;
    }
  }

  get durableBytes(): number {
    return this.#durableBytes;
  }

  /** Writes the buffers one after the other and makes them durable. After a failure only `close` may be called. */
  async append(buffers: readonly Buffer[]): Promise<void> {
    let position = this.#durableBytes;
    let left: Buffer[] = [...buffers];
    while (left.length > 0) {
      const { bytesWritten } = await this.#handle.writev(left, position);
      position += bytesWritten;
      left = without(left, bytesWritten);
    }
    // Looks at nothing but memory.
    if (fstatSync(this.#handle.fd).nlink === 0) throw lost(this.#path, 'was deleted');
    this.#durableBytes = position;
  }

  /** Never fails: what matters is durable already. */
  async close(): Promise<void> {
    await closeQuietly(this.#handle);
  }
}

function lost(path: string, what: string): TidemarkError {
  return new TidemarkError('TM-REPO-003', `the journal file ${path} ${what}, but more of it was durable`, {
    hint: 'Restart this coordinator: it takes up what its copy still holds, and gets the rest from the others.',
  });
}

function without(buffers: Buffer[], bytes: number): Buffer[] {
  let skipped = bytes;
  for (const [index, buffer] of buffers.entries()) {
    if (skipped < buffer.length) return [buffer.subarray(skipped), ...buffers.slice(index + 1)];
    skipped -= buffer.length;
  }
  return [];
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  try {
    await handle.close();
  } catch {
    // The descriptor is gone either way.
  }
}
