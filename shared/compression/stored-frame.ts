import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assert } from '../errors/assert.ts';
import type { CompressedFrame } from './zstd-pool.ts';

const MAGIC = 0xfd2fb528;
/** A single segment, and four bytes that say the content's size. */
const DESCRIPTOR = 0xa0;
const HEADER_BYTES = 9;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_BYTES_MAX = 128 * 1024;

/** A zstd frame of stored blocks (RFC 8878): made without a compressor, understood by every decompressor. */
export function storedFrame(content: Uint8Array): Buffer {
  const blocks = Math.max(1, Math.ceil(content.byteLength / BLOCK_BYTES_MAX));
  const frame = Buffer.allocUnsafeSlow(HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + content.byteLength);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt8(DESCRIPTOR, 4);
  frame.writeUInt32LE(content.byteLength, 5);
  let at = HEADER_BYTES;
  for (let block = 0; block < blocks; block++) {
    const bytes = content.subarray(block * BLOCK_BYTES_MAX, (block + 1) * BLOCK_BYTES_MAX);
    const isLast = block === blocks - 1 ? 1 : 0;
    frame.writeUIntLE((bytes.byteLength << 3) | isLast, at, BLOCK_HEADER_BYTES);
    frame.set(bytes, at + BLOCK_HEADER_BYTES);
    at += BLOCK_HEADER_BYTES + bytes.byteLength;
  }
  return frame;
}

/** What ZstdPool.compress gives, at once and in this thread: for a run so small that a hop to another thread costs more than its bytes. */
export function storeFrame(content: Uint8Array): CompressedFrame {
  const frame = storedFrame(content);
  const contentSha256 = createHash('sha256').update(content).digest();
  const kept = frame.subarray(HEADER_BYTES + BLOCK_HEADER_BYTES);
  assert(content.byteLength > BLOCK_BYTES_MAX || kept.equals(content), 'the frame holds the content');
  return { frame, contentSha256, frameCrc32: crc32(frame) };
}
