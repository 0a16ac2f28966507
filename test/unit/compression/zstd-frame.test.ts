import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { storeFrame } from '../../../shared/compression/stored-frame.ts';
import { checkFrame, frameBytesMax, readFrameExtent } from '../../../shared/compression/zstd-frame.ts';
import { loadZstd } from '../../../shared/compression/zstd.ts';
import { zstdCli } from '../../support/zstd-cli.ts';

const damaged = { code: 'TM-REPO-003' };

describe('zstd frame', () => {
  const content = Buffer.from('the line that the water reached '.repeat(3000));

  it('finds the end of a frame that other frames follow', async () => {
    const zstd = await loadZstd();
    const first = zstd.compress(content, 1);
    const second = zstd.compress(content.subarray(7), 3);
    const extent = readFrameExtent(Buffer.concat([first, second]));
    assert.deepEqual(extent, { frameBytes: first.byteLength, contentBytes: content.byteLength });
  });

  it('finds the end of a frame with a checksum', () => {
    const frame = zstdCli(['--check', '-1'], content);
    assert.equal(readFrameExtent(frame).frameBytes, frame.byteLength);
  });

  it('refuses a frame cut off anywhere', async () => {
    const frame = (await loadZstd()).compress(content, 1);
    for (let length = 0; length < frame.byteLength; length++) {
      assert.throws(() => checkFrame(frame.subarray(0, length), content.byteLength), damaged);
    }
    checkFrame(frame, content.byteLength);
  });

  it('refuses what is no data frame', () => {
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
    assert.throws(() => readFrameExtent(skippable), damaged);
    assert.throws(() => readFrameExtent(Buffer.alloc(64)), damaged);
  });

  it('refuses bytes after the frame and another content length', async () => {
    const frame = (await loadZstd()).compress(content, 1);
    assert.throws(() => checkFrame(Buffer.concat([frame, Buffer.alloc(1)]), content.byteLength), damaged);
    assert.throws(() => checkFrame(frame, content.byteLength - 1), damaged);
  });

  it('bounds the size of a frame as zstd does', () => {
    for (const bytes of [0, 1, 255, 128 * 1024, 1024 * 1024]) {
      const margin = bytes < 128 * 1024 ? (128 * 1024 - bytes) >> 11 : 0;
      assert.ok(frameBytesMax(bytes) >= bytes + (bytes >> 8) + margin);
    }
  });

  it('can be made without a compressor', async () => {
    const zstd = await loadZstd();
    for (const bytes of [0, 1, 900, 128 * 1024, 128 * 1024 + 1, 300_000]) {
      const stored = Buffer.alloc(bytes, content);
      const { frame, contentSha256, frameCrc32 } = storeFrame(stored);
      checkFrame(frame, bytes);
      assert(zstd.decompress(frame, bytes).equals(stored));
      assert.equal(frameCrc32, crc32(frame));
      assert(contentSha256.equals(createHash('sha256').update(stored).digest()));
    }
    assert(zstdCli(['-d'], storeFrame(content).frame).equals(content));
  });
});
