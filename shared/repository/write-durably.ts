import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** What is needed of the file system; stands apart so that tests can make it fail. */
type OpenFile = (
  path: string,
  flags: number,
  mode: number,
) => Promise<Pick<FileHandle, 'write' | 'datasync' | 'sync' | 'close'>>;

/** What is written between the beginnings of two syncs. */
const SYNC_BYTES = 16 * 1024 * 1024;

/**
 * Makes a file and writes the pieces one after the other; resolves when its content is durable, its name not yet. What was written is synced in the background while more is written, so that the last sync of a large object is a short one. A sync that
 * fails fails the whole: the next one on the same file would not say what the kernel dropped.
 */
export async function writeDurably(
  file: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  openFile: OpenFile = open,
): Promise<void> {
  const handle = await openFile(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
  let syncing = Promise.resolve();
  try {
    let unsyncedBytes = 0;
    for await (const piece of pieces) {
      for (let offset = 0; offset < piece.length;) {
        offset += (await handle.write(piece, offset)).bytesWritten;
      }
      unsyncedBytes += piece.length;
      if (unsyncedBytes < SYNC_BYTES) continue;
      await syncing;
      unsyncedBytes = 0;
      syncing = handle.datasync();
      // Its failure is seen where it is waited for.
      syncing.catch(() => {});
    }
    await syncing;
    await handle.sync();
  } finally {
    await syncing.catch(() => {});
    await handle.close();
  }
}
