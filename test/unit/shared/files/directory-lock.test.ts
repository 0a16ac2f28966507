import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { DirectoryLock } from '../../../../shared/files/directory-lock.ts';
import { ChildProcess } from '../../../support/child-process.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';
import { TemporaryDirectory } from '../../../support/temporary-directory.ts';

const MODULE = new URL('../../../../shared/files/directory-lock.js', import.meta.url).href;

async function holdInChild(directory: string): Promise<ChildProcess> {
  const script = `
    const { DirectoryLock } = await import(${JSON.stringify(MODULE)});
    await DirectoryLock.acquire(${JSON.stringify(directory)});
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = await ChildProcess.start({
    name: 'holder',
    command: process.execPath,
    args: ['--input-type=module', '--eval', script],
    directory,
  });
  await child.waitForLine(/^held$/);
  return child;
}

describe('directory lock', () => {
  it('is held by one at a time, and free again after release', async () => {
    await using temporary = TemporaryDirectory.create('lock');
    const directory = path.join(temporary.path, 'a'.repeat(120), 'b');
    const lock = await DirectoryLock.acquire(directory);
    await rejectsWithCode(DirectoryLock.acquire(directory), 'TM-REPO-010');
    await lock.release();
    await lock.release();
    assert.deepEqual(await readdir(directory), []);
    await (await DirectoryLock.acquire(directory)).release();
  });

  it('is given to at most one of many that want it at once', async () => {
    await using temporary = TemporaryDirectory.create('lock');
    for (let round = 0; round < 20; round++) {
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => DirectoryLock.acquire(temporary.path)));
      const held = results.filter((result) => result.status === 'fulfilled');
      assert.ok(held.length <= 1, `${held.length} hold it`);
      for (const { value } of held) await value.release();
    }
    await (await DirectoryLock.acquire(temporary.path)).release();
  });

  it('is held by another process while it lives, also while it is stopped, and not after it was killed', async () => {
    await using temporary = TemporaryDirectory.create('lock');
    await using child = await holdInChild(temporary.path);
    await rejectsWithCode(DirectoryLock.acquire(temporary.path), 'TM-REPO-010');
    child.pause();
    await rejectsWithCode(DirectoryLock.acquire(temporary.path), 'TM-REPO-010');
    await child.kill();
    const lock = await DirectoryLock.acquire(temporary.path);
    assert.equal((await readdir(temporary.path)).length, 1, 'the dead holder is forgotten');
    await lock.release();
  });
});
