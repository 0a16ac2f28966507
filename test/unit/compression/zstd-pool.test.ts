import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ZstdPool } from '../../../shared/compression/zstd-pool.ts';
import { zstdCli } from '../../support/zstd-cli.ts';

const damaged = { code: 'TM-REPO-003' };

describe('ZstdPool', () => {
  let pool: ZstdPool;
  before(() => {
    pool = new ZstdPool({ workers: 2, level: 1 });
  });
  after(() => pool.close());

  it('gives each caller its own frame and hash, more callers than slots', async () => {
    const contents = Array.from({ length: 40 }, (_, index) =>
      Buffer.concat([randomBytes(500 + index * 300), Buffer.alloc(index * 1000, index)]),
    );
    const results = await Promise.all(contents.map((content) => pool.compress(content)));
    for (const [index, { frame, contentSha256 }] of results.entries()) {
      const content = contents[index];
      assert.ok(content !== undefined);
      assert.ok(zstdCli(['-d'], frame).equals(content));
      assert.ok(contentSha256.equals(createHash('sha256').update(content).digest()));
      assert.ok((await pool.decompress(frame, content.byteLength)).equals(content));
    }
  });

  it('leaves the content to the caller', async () => {
    const content = Buffer.alloc(1024 * 1024, 'a');
    const { frame } = await pool.compress(content.subarray(10, 500_000));
    content.fill('b');
    assert.ok((await pool.decompress(frame, 499_990)).every((byte) => byte === 0x61));
    assert.equal(frame.buffer.byteLength, frame.byteLength);
  });

  it('reports a damaged or cut-off frame and goes on', async () => {
    const content = randomBytes(5000);
    const { frame } = await pool.compress(content);
    await assert.rejects(pool.decompress(frame.subarray(0, frame.byteLength - 1), 5000), damaged);
    await assert.rejects(pool.decompress(frame, 4999), damaged);
    await assert.rejects(pool.decompress(frame, 2 ** 31), damaged);
    assert.ok((await pool.decompress(frame, 5000)).equals(content));
  });

  it('compresses in slots that are lent, where the content lies, beside the others', async () => {
    const lending = new ZstdPool({ workers: 1, level: 1, slots: 3 });
    try {
      const spaces = [lending.lend(), lending.lend()];
      const content = randomBytes(300_000);
      const results = spaces.map(async (space, index) => {
        content.copy(space.content, 700 * index);
        return await space.compress(space.content.subarray(700 * index, 700 * index + content.byteLength - index), 1);
      });
      const copied = await lending.compress(content);
      for (const [index, result] of (await Promise.all(results)).entries()) {
        const expected = content.subarray(0, content.byteLength - index);
        assert.equal(result.frame.buffer, spaces[index]?.content.buffer);
        assert.ok(zstdCli(['-d'], result.frame).equals(expected));
        assert.ok(result.contentSha256.equals(createHash('sha256').update(expected).digest()));
        assert.equal(result.frameCrc32, crc32(result.frame));
      }
      assert.ok(copied.frame.buffer !== spaces[0]?.content.buffer);
      lending.lend();
      assert.throws(() => lending.lend(), { code: 'TM-INTERNAL-001' });
      spaces[0]?.giveBack();
      lending.lend();
    } finally {
      await lending.close();
    }
  });

  it('rejects what waits when it is closed', async () => {
    const closing = new ZstdPool({ workers: 1, level: 1 });
    const calls = Array.from({ length: 6 }, () => closing.compress(randomBytes(1024 * 1024)));
    const settled = Promise.allSettled(calls);
    await closing.close();
    assert.ok((await settled).some(({ status }) => status === 'rejected'));
    await assert.rejects(closing.compress(randomBytes(1)), { code: 'TM-INTERNAL-001' });
  });

  it('refuses more callers than may wait', async () => {
    const small = new ZstdPool({ workers: 1, level: 1, waitingMax: 1 });
    try {
      const calls = Array.from({ length: 4 }, () => small.compress(Buffer.alloc(10)));
      const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
      assert.equal(failed.length, 1);
    } finally {
      await small.close();
    }
  });
});
