import assert from 'node:assert/strict';
import type { FileHandle } from 'node:fs/promises';
import { writeDurably } from '../../../../shared/repository/write-durably.ts';

const MIB = 1024 * 1024;

type Handle = Pick<FileHandle, 'write' | 'datasync' | 'sync' | 'close'>;

/** A file of which only the lengths are kept. Its syncs end when they are told to. */
class FakeFile {
  readonly calls: string[] = [];
  writtenBytes = 0;
  endSync: (error?: Error) => void = () => {};

  readonly open = (): Promise<Handle> =>
    Promise.resolve({
      write: async (piece: Uint8Array, offset: number) => {
        // A short write now and then.
        const bytesWritten = Math.min(piece.length - offset, 700_000);
        this.writtenBytes += bytesWritten;
        return Promise.resolve({ bytesWritten, buffer: piece });
      },
      datasync: () => {
        this.calls.push(`datasync at ${this.writtenBytes / MIB}`);
        return new Promise<void>((resolve, reject) => {
          this.endSync = (error) => (error === undefined ? resolve() : reject(error));
        });
      },
      sync: () => {
        this.calls.push(`sync at ${this.writtenBytes / MIB}`);
        return Promise.resolve();
      },
      close: () => {
        this.calls.push('close');
        return Promise.resolve();
      },
    } as unknown as Handle);
}

function* pieces(count: number): Generator<Uint8Array> {
  for (let index = 0; index < count; index++) yield new Uint8Array(MIB);
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('writeDurably', () => {
  it('syncs a small file once, when all of it is written', async () => {
    const file = new FakeFile();
    await writeDurably('f', pieces(3), file.open);
    assert.deepEqual(file.calls, ['sync at 3', 'close']);
  });

  it('writes on while it syncs, but not further than the next sync', async () => {
    const file = new FakeFile();
    const writing = writeDurably('f', pieces(40), file.open);
    await turns();
    assert.deepEqual(file.calls, ['datasync at 16']);
    assert.equal(file.writtenBytes, 32 * MIB);
    file.endSync();
    await turns();
    assert.deepEqual(file.calls, ['datasync at 16', 'datasync at 32']);
    assert.equal(file.writtenBytes, 40 * MIB);
    file.endSync();
    await writing;
    assert.deepEqual(file.calls, ['datasync at 16', 'datasync at 32', 'sync at 40', 'close']);
  });

  it('fails when a sync in the background has failed, although the last one would succeed', async () => {
    const file = new FakeFile();
    const writing = writeDurably('f', pieces(20), file.open);
    await turns();
    file.endSync(new Error('the disk is ill'));
    await assert.rejects(writing, /the disk is ill/);
    assert.deepEqual(file.calls, ['datasync at 16', 'close']);
  });

  it('closes the file only after its sync when the pieces end with an error', async () => {
    const file = new FakeFile();
    function* broken(): Generator<Uint8Array> {
      yield* pieces(17);
      throw new Error('the source is gone');
    }
    const writing = writeDurably('f', broken(), file.open);
    writing.catch(() => {});
    await turns();
    assert.deepEqual(file.calls, ['datasync at 16']);
    file.endSync();
    await assert.rejects(writing, /the source is gone/);
    assert.deepEqual(file.calls, ['datasync at 16', 'close']);
  });
});
