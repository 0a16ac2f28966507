import { createHash } from 'node:crypto';
import { closeSync, constants, fsyncSync, openSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { loadZstd } from '../../shared/compression/zstd.ts';
import { assert } from '../../shared/errors/assert.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';
import type { WriteJob, WriteReply } from './write-job.ts';

/** Decompresses, verifies and writes frames: nothing is written from a frame whose content is not what the manifest says. */

const port = parentPort;
assert(port !== null, 'write-worker runs as a worker');
const zstd = await loadZstd();
const content = new Uint8Array(FRAME_CONTENT_BYTES_MAX);

function writeFrame(job: Extract<WriteJob, { kind: 'frame' }>): void {
  const target = content.subarray(0, job.contentBytes);
  try {
    zstd.decompressInto(job.frame, target);
  } catch (error) {
    throw new TidemarkError('TM-REPO-003', `${job.name}: ${(error as Error).message}`, { cause: error });
  }
  if (createHash('sha256').update(target).digest('hex') !== job.contentSha256) {
    throw new TidemarkError('TM-REPO-003', `${job.name}: its content has another SHA-256 than it should`);
  }
  for (const write of job.writes) {
    // The files were made by this restore; whatever a name has become since, a link is not followed.
    const file = openSync(write.file, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      for (let done = 0; done < write.lengthBytes;) {
        const at = write.contentOffset + done;
        done += writeSync(file, target, at, write.lengthBytes - done, write.fileOffset + done);
      }
    } finally {
      closeSync(file);
    }
  }
}

function syncFiles(files: readonly string[]): void {
  for (const name of files) {
    const file = openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

port.on('message', (job: WriteJob) => {
  let reply: WriteReply;
  try {
    if (job.kind === 'frame') writeFrame(job);
    else syncFiles(job.files);
    reply = { kind: 'done', job: job.job };
  } catch (error) {
    const full = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    const code = error instanceof TidemarkError ? error.code : full ? 'TM-REPO-007' : 'TM-INTERNAL-001';
    const text = error instanceof Error ? error.message : String(error);
    const file = job.kind === 'frame' ? job.writes[0]?.file : job.files[0];
    const message = error instanceof TidemarkError ? text : `cannot write ${file ?? job.kind}: ${text}`;
    reply = { kind: 'failed', job: job.job, code, message };
  }
  port.postMessage(reply);
});
port.postMessage({ kind: 'ready' } satisfies WriteReply);
