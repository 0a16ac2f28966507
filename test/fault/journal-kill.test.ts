import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WalStore } from '../../coordinator/journal/wal-store.ts';
import { lsn, NO_LSN } from '../../shared/postgres/lsn.ts';
import { segmentName } from '../../shared/postgres/wal-segment.ts';
import { walIndexPath, walSegmentPath } from '../../shared/repository/layout.ts';
import { PosixRepository } from '../../shared/repository/posix-repository.ts';
import { decodeSegmentIndex } from '../../shared/wal-index/segment-index.ts';
import { madeWal, storedCodec } from '../support/made-wal.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';

const WRITER = fileURLToPath(new URL('../support/journal-writer.js', import.meta.url));
const SEGMENT_BYTES = 1024 * 1024;
const STREAM = { node: 'shard1', systemIdentifier: '7123', timeline: 1 };

/** Lets a writer work for a while and kills it; gives the last position that it was told to be durable. */
async function writeAndKill(directory: string, seed: number, lifeMs: number): Promise<bigint> {
  const child = spawn(process.execPath, [WRITER, directory, String(seed)], { cwd: directory });
  let output = '';
  let problems = '';
  child.stdout.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-200)));
  child.stderr.on('data', (chunk: Buffer) => (problems += chunk.toString()));
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  await delay(lifeMs);
  child.kill('SIGKILL');
  await closed;
  assert.equal(problems, '');
  return BigInt(output.split('\n').at(-2) ?? '0');
}

describe('a journal whose process is killed', function () {
  this.timeout(120_000);

  it('has everything that was called durable, without a hole, and goes on', async () => {
    const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? randomInt(1_000_000));
    const rounds = Number(process.env['TIDEMARK_TEST_ROUNDS'] ?? 8);
    const random = new SeededRandom(seed);
    await using directory = TemporaryDirectory.create('kill');
    const root = directory.subdirectory('repository');
    try {
      for (let round = 0; round < rounds; round++) {
        const promised = await writeAndKill(root, random.below(1_000_000), random.below(400));
        const repository = await PosixRepository.open(root);
        const notes: string[] = [];
        const store = await WalStore.open({ repository, zstd: storedCodec, onNote: (note) => notes.push(note) });
        try {
          assert.deepEqual(notes, []);
          const position = store.position(STREAM) ?? assert.fail('nothing is there');
          assert.ok(position.durableLsn >= promised, `${promised} was durable, ${position.durableLsn} is there`);
          let at = position.firstLsn;
          for await (const changeSet of store.read(STREAM, NO_LSN, new AbortController().signal)) {
            assert.equal(changeSet.startLsn, at);
            const content = await storedCodec.decompress(changeSet.frame, Number(changeSet.endLsn - at));
            assert.ok(content.equals(madeWal(at, changeSet.endLsn)));
            at = changeSet.endLsn;
            if (at >= position.durableLsn) break;
          }
          await store.finished();
          for (let start = position.firstLsn; start + BigInt(SEGMENT_BYTES) <= position.durableLsn;) {
            const name = segmentName(1, start, SEGMENT_BYTES);
            const index = decodeSegmentIndex(await readFile(path.join(root, walIndexPath(STREAM, name))));
            assert.equal((await repository.stat(walSegmentPath(STREAM, name)))?.sizeBytes, index.objectBytes);
            start = lsn(start + BigInt(SEGMENT_BYTES));
          }
        } finally {
          await store.close();
          await repository.close();
        }
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  });
});
