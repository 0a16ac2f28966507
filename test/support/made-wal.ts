import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { storedFrame } from '../../shared/compression/stored-frame.ts';
import type { CompressedFrame } from '../../shared/compression/zstd-pool.ts';
import { advanceLsn, lsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { ChangeSet } from '../../shared/wal/change-set.ts';

/**
 * Bytes that stand in for WAL where nobody parses it: a function of the position alone, so that any run of them can be made and
 * checked anywhere. `history` makes another WAL for the same positions.
 */
export function madeWal(startLsn: Lsn, endLsn: Lsn, history = 0): Buffer {
  const first = startLsn / 8n;
  const words = Number((endLsn + 7n) / 8n - first);
  const bytes = Buffer.allocUnsafe(words * 8);
  for (let word = 0; word < words; word++) {
    const position = Number(first & 0xffff_ffffn) + word;
    bytes.writeUInt32LE((Math.imul(position, 0x9e37_79b1) + history) >>> 0, word * 8);
    bytes.writeUInt32LE(Math.imul(position >>> 12, 0x85eb_ca6b) >>> 0, word * 8 + 4);
  }
  const skipped = Number(startLsn % 8n);
  return bytes.subarray(skipped, skipped + Number(endLsn - startLsn));
}

/** A change set of {@link madeWal}; its records are taken to be 64 bytes long. */
export function madeChangeSet(
  startLsn: bigint,
  endLsn: bigint,
  options: { history?: number; timeline?: number } = {},
): ChangeSet {
  const start = lsn(startLsn);
  const end = lsn(endLsn);
  const content = madeWal(start, end, options.history);
  return {
    timeline: options.timeline ?? 1,
    startLsn: start,
    endLsn: end,
    nextRecordLsn: lsn((end / 64n) * 64n),
    lastRecordLsn: end < 64n ? NO_LSN : advanceLsn(lsn((end / 64n - 1n) * 64n), 0),
    ...compressed(content),
    events: [],
    changedBlocks: Buffer.alloc(0),
    clocks: [],
  };
}

function compressed(content: Buffer): CompressedFrame {
  const frame = storedFrame(content);
  return { frame, contentSha256: createHash('sha256').update(content).digest(), frameCrc32: crc32(frame) };
}

/** Stands in for a ZstdPool where frames are {@link storedFrame}s. */
export const storedCodec = {
  async compress(content: Buffer): Promise<CompressedFrame> {
    return compressed(content);
  },
  async decompress(frame: Buffer, contentBytes: number): Promise<Buffer> {
    const blocks: Buffer[] = [];
    for (let offset = 9; offset < frame.length;) {
      const blockBytes = frame.readUIntLE(offset, 3) >> 3;
      blocks.push(frame.subarray(offset + 3, offset + 3 + blockBytes));
      offset += 3 + blockBytes;
    }
    const content = Buffer.concat(blocks);
    if (content.length !== contentBytes) throw new Error(`the frame holds ${content.length} bytes`);
    return content;
  },
};
