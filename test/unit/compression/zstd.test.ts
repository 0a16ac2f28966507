import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { loadZstd, type Zstd } from '../../../shared/compression/zstd.ts';
import { loadWasmZstd } from '../../../shared/compression/zstd-wasm.ts';
import { zstdCli } from '../../support/zstd-cli.ts';

const MIB = 1024 * 1024;
const damaged = { code: 'TM-REPO-003' };

/** Some of it compresses, some does not, as with WAL. */
function sample(bytes: number): Buffer {
  const content = Buffer.alloc(bytes, 'heap page ');
  for (let at = 0; at < bytes; at += 8192) randomBytes(Math.min(2048, bytes - at)).copy(content, at);
  return content;
}

const implementations: readonly (readonly [string, () => Promise<Zstd>])[] = [
  ['of this Node', loadZstd],
  ['zstd-codec', loadWasmZstd],
];

for (const [name, load] of implementations) {
  describe(`zstd, ${name}`, () => {
    let zstd: Zstd;
    before(async () => {
      zstd = await load();
    });

    it('writes frames that the zstd program reads', () => {
      for (const bytes of [0, 1, 1000, MIB - 1, MIB]) {
        for (const level of [-3, 1, 6]) {
          const content = sample(bytes);
          assert.ok(zstdCli(['-d'], zstd.compress(content, level)).equals(content), `${bytes} bytes at level ${level}`);
        }
      }
    });

    it('reads frames that the zstd program wrote', () => {
      for (const bytes of [0, 1, 300, MIB]) {
        const content = sample(bytes);
        for (const flags of [['-3'], ['--check', '-1'], ['--no-check', '-19']]) {
          assert.ok(
            zstd.decompress(zstdCli(flags, content), bytes).equals(content),
            `${bytes} bytes with ${flags.join(' ')}`,
          );
        }
      }
    });

    it('takes content that does not compress', () => {
      const content = randomBytes(MIB);
      const frame = zstd.compress(content, 1);
      assert.ok(frame.byteLength > MIB);
      assert.ok(zstd.decompress(frame, MIB).equals(content));
    });

    it('refuses a frame that is cut off, or another length than expected', () => {
      const content = sample(200_000);
      const frame = zstd.compress(content, 1);
      for (const cut of [1, 2, 100, frame.byteLength - 5]) {
        assert.throws(() => zstd.decompress(frame.subarray(0, frame.byteLength - cut), content.byteLength), damaged);
      }
      assert.throws(() => zstd.decompress(frame, content.byteLength - 1), damaged);
      assert.throws(() => zstd.decompress(frame, content.byteLength + 1), damaged);
      assert.throws(() => zstd.decompress(Buffer.concat([frame, frame]), content.byteLength * 2), damaged);
    });

    it('goes on after a damaged frame', () => {
      const content = sample(200_000);
      const frame = zstd.compress(content, 1);
      const bent = Buffer.from(frame);
      // Somewhere in the literals' Huffman description of the first block.
      bent.fill(0xff, 12, 40);
      assert.throws(() => zstd.decompress(bent, content.byteLength), damaged);
      assert.ok(zstd.decompress(frame, content.byteLength).equals(content));
    });

    it('tells a frame that holds a content from every other one', () => {
      const content = sample(200_000);
      const frame = zstd.compress(content, 1);
      assert.equal(zstd.holds(frame, content), true);
      assert.equal(zstd.holds(frame, content.subarray(1)), false);
      assert.equal(zstd.holds(frame.subarray(0, frame.byteLength - 1), content), false);
      const other = Buffer.from(content);
      other[199_999] = (other[199_999] ?? 0) ^ 1;
      assert.equal(zstd.holds(frame, other), false);
      // In bytes that do not compress, a flipped bit is seen by nobody but who compares.
      const random = randomBytes(5000);
      const stored = zstd.compress(random, 1);
      stored[2000] = (stored[2000] ?? 0) ^ 1;
      assert.equal(zstd.decompress(stored, 5000).byteLength, 5000);
      assert.equal(zstd.holds(stored, random), false);
    });

    it('makes independent frames, whatever came before', () => {
      const small = sample(100);
      const alone = zstd.compress(small, 1);
      zstd.compress(sample(MIB), 6);
      assert.ok(zstd.compress(small, 1).equals(alone));
    });
  });
}

describe('loading zstd', () => {
  it('leaves the process alone', async () => {
    const listeners = (): number[] => [
      process.listenerCount('uncaughtException'),
      process.listenerCount('unhandledRejection'),
    ];
    const before = listeners();
    await loadWasmZstd();
    assert.deepEqual(listeners(), before);
  });
});
