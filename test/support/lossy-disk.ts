import { constants, truncateSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { OpenFile } from '../../coordinator/journal/journal-file.ts';

/**
 * A disk that keeps, at a power failure, nothing of a file but what was synced, or written to a file that is opened for synchronous writes. Only files that are opened through it lose anything.
 */
export class LossyDisk {
  readonly #syncedBytes = new Map<string, number>();
  #isOff = false;

  readonly openFile: OpenFile = async (path, flags, mode) => {
    if (this.#isOff) throw failure();
    const handle = await open(path, flags, mode);
    const sync = handle.sync.bind(handle);
    const writev = handle.writev.bind(handle);
    const note = async (doSync: () => Promise<void>): Promise<void> => {
      const { size } = await handle.stat();
      await doSync();
      if (this.#isOff) throw failure();
      this.#syncedBytes.set(path, size);
    };
    handle.sync = () => note(sync);
    handle.writev = (async (buffers: readonly NodeJS.ArrayBufferView[], position?: number) => {
      if (this.#isOff) throw failure();
      const written = await writev(buffers, position);
      if (flags & constants.O_DSYNC) await note(async () => {});
      return written;
    }) as FileHandle['writev'];
    return handle;
  };

  /** The power fails: from now on nothing is written; `restore` shows what is left. */
  cut(): void {
    this.#isOff = true;
  }

  /** Takes away from every file what was not synced, and goes on. Nobody has a file open. */
  restore(): void {
    for (const [path, bytes] of this.#syncedBytes) {
      try {
        truncateSync(path, bytes);
      } catch {
        // Finished and removed, or linked elsewhere, where it was synced as a whole.
      }
    }
    this.#syncedBytes.clear();
    this.#isOff = false;
  }
}

function failure(): Error {
  return Object.assign(new Error('the power is off'), { code: 'EIO', syscall: 'write' });
}
