import { setPriority } from 'node:os';
import process from 'node:process';
import { parentPort } from 'node:worker_threads';
import { loadZstd } from '../../shared/compression/zstd.ts';
import { assert } from '../../shared/errors/assert.ts';
import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { storageError } from '../../shared/repository/posix-paths.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';
import { encodeSegmentIndex } from '../../shared/wal-index/segment-index.ts';
import { buildSegmentIndex } from './build-segment-index.ts';
import type { IndexJob, IndexReply } from './index-job.ts';

/** Reads, decompresses and hashes finished segments: all in this thread; only the index leaves it. */

/** Behind whatever brings WAL in, and far from starving: a tenth of an ordinary thread's share of a busy processor. */
const NICENESS = 10;

const port = parentPort;
assert(port !== null, 'index-worker runs as a worker');
// Only Linux takes a thread's own priority here; elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(0, NICENESS);
const zstd = await loadZstd();
const space = Buffer.allocUnsafeSlow(FRAME_CONTENT_BYTES_MAX);
const codec = {
  /** The content is valid until the next call. */
  decompress: (frame: Buffer, contentBytes: number): Promise<Buffer> => {
    const content = space.subarray(0, contentBytes);
    zstd.decompressInto(frame, content);
    return Promise.resolve(content);
  },
};

async function work({ job, segment }: IndexJob): Promise<IndexReply> {
  try {
    const index = await buildSegmentIndex(segment, codec);
    return { kind: 'done', job, index: new Uint8Array(encodeSegmentIndex(index)) };
  } catch (error) {
    const { code, message } = asTidemarkError(storageError(error, `read ${segment.path} for its index`));
    return { kind: 'failed', job, code, message };
  }
}

port.on('message', (job: IndexJob) => {
  void work(job).then((reply) => port.postMessage(reply, reply.kind === 'done' ? [reply.index.buffer] : []));
});
