import { constants, getPriority, setPriority } from 'node:os';
import process from 'node:process';
import { parentPort } from 'node:worker_threads';
import { assert } from '../../shared/errors/assert.ts';
import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { storageError } from '../../shared/repository/posix-paths.ts';
import { encodeSegmentIndex } from '../../shared/wal-index/segment-index.ts';
import { buildSegmentIndex } from './build-segment-index.ts';
import type { IndexJob, IndexReply } from './index-job.ts';

/** Reads finished segments and compares them with their checksums: all in this thread; only the index leaves it. */

/** Behind whatever brings WAL in, and far from starving: a tenth of an ordinary thread's share of a busy processor. */
const NICENESS_MORE = 10;

const port = parentPort;
assert(port !== null, 'index-worker runs as a worker');
// Only Linux takes a thread's own priority here; elsewhere it would be the whole process's. It is counted from the one that the process
// was started with: to go above that needs a privilege.
if (process.platform === 'linux') {
  setPriority(0, Math.min(getPriority() + NICENESS_MORE, constants.priority.PRIORITY_LOW));
}

function work({ job, segment }: IndexJob): IndexReply {
  try {
    const index = buildSegmentIndex(segment);
    return { kind: 'done', job, index: new Uint8Array(encodeSegmentIndex(index)) };
  } catch (error) {
    const { code, message } = asTidemarkError(storageError(error, `read ${segment.path} for its index`));
    return { kind: 'failed', job, code, message };
  }
}

port.on('message', (job: IndexJob) => {
  const reply = work(job);
  port.postMessage(reply, reply.kind === 'done' ? [reply.index.buffer] : []);
});
