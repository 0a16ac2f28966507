import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { frameBytesMax } from '../../shared/compression/zstd-frame.ts';
import { loadZstd } from '../../shared/compression/zstd.ts';
import { assert } from '../../shared/errors/assert.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';
import { CONTROL_FILE_BYTES, parseControlFile } from '../../shared/postgres/pg-control.ts';
import { verifyPages } from './page-verifier.ts';
import type { PartResult, ReadJob, ReadPart, ReadReply, ReadWorkerData } from './read-job.ts';

/** Reads the parts of one frame, verifies pages, hashes and compresses: all in this thread; only the frame leaves it. */

const port = parentPort;
assert(port !== null, 'read-worker runs as a worker');
const options = workerData as ReadWorkerData;
const zstd = await loadZstd();
const content = new Uint8Array(FRAME_CONTENT_BYTES_MAX);
const frameSpace = new Uint8Array(frameBytesMax(FRAME_CONTENT_BYTES_MAX));
const sleepCell = new Int32Array(new SharedArrayBuffer(4));

const GONE: PartResult = { lengthBytes: null, pagesVerified: 0, failed: [] };
const WHOLE_READS_MAX = 5;
const CONTROL_READS_MAX = 20;

function readPart(part: ReadPart, at: number): PartResult {
  const file = openExisting(path.join(options.dataDirectory, part.path));
  if (file === null) return GONE;
  try {
    if (part.kind === 'pages') {
      const lengthBytes = readFully(file, at, part.lengthBytes, part.offsetBytes);
      return { lengthBytes, ...verify(file, part, at, lengthBytes) };
    }
    return { lengthBytes: readUnverified(file, part, at), pagesVerified: 0, failed: [] };
  } finally {
    closeSync(file);
  }
}

function readUnverified(file: number, part: ReadPart, at: number): number {
  if (part.kind === 'whole') return readWhole(file, at);
  if (part.kind === 'control') return readControl(file, at);
  return readFully(file, at, part.lengthBytes, part.offsetBytes);
}

/** The server writes pg_control in place; a read may catch it in the middle. */
function readControl(file: number, at: number): number {
  for (let attempt = 1; ; attempt++) {
    const lengthBytes = readFully(file, at, CONTROL_FILE_BYTES, 0);
    try {
      parseControlFile(content.subarray(at, at + lengthBytes));
      return lengthBytes;
    } catch (error) {
      if (attempt === CONTROL_READS_MAX) throw error;
      Atomics.wait(sleepCell, 0, 0, attempt);
    }
  }
}

/** A file that is replaced or appended to while it is read is read again, so that it is of one moment. */
function readWhole(file: number, at: number): number {
  for (let attempt = 1; ; attempt++) {
    const before = fstatSync(file);
    const lengthBytes = readFully(file, at, Math.min(before.size, content.byteLength - at), 0);
    const after = fstatSync(file);
    const steady = after.size === before.size && after.mtimeMs === before.mtimeMs;
    if (steady || attempt === WHOLE_READS_MAX) return lengthBytes;
  }
}

function readFully(file: number, at: number, lengthBytes: number, offsetBytes: number): number {
  let done = 0;
  while (done < lengthBytes) {
    const read = readSync(file, content, at + done, lengthBytes - done, offsetBytes + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

function verify(
  file: number,
  part: Extract<ReadPart, { kind: 'pages' }>,
  at: number,
  lengthBytes: number,
): Pick<PartResult, 'pagesVerified' | 'failed'> {
  // A bundle's parts need not start at a word.
  const aligned = at % 4 === 0;
  const bytes = aligned ? content : content.slice(at, at + lengthBytes);
  const start = aligned ? at : 0;
  const range = {
    words: new Int32Array(bytes.buffer, start, Math.floor(lengthBytes / 4)),
    lengthBytes,
    pageBytes: options.pageBytes,
    firstFileBlock: part.offsetBytes / options.pageBytes,
    blocksBefore: part.segment * options.segmentBlocks,
  };
  const result = verifyPages(range, (offset, attempt) => {
    Atomics.wait(sleepCell, 0, 0, attempt * 2);
    const read = readSync(file, bytes, start + offset, options.pageBytes, part.offsetBytes + offset);
    return read === options.pageBytes;
  });
  if (!aligned) content.set(bytes, at);
  return result;
}

function openExisting(file: string): number | null {
  try {
    return openSync(file, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function work({ job, parts }: ReadJob): ReadReply {
  const started = performance.now();
  const results: PartResult[] = [];
  let contentBytes = 0;
  for (const part of parts) {
    const result = readPart(part, contentBytes);
    results.push(result);
    contentBytes += result.lengthBytes ?? 0;
  }
  const read = performance.now();
  const used = content.subarray(0, contentBytes);
  const contentSha256 = createHash('sha256').update(used).digest();
  const hashed = performance.now();
  let frame: Uint8Array<ArrayBuffer> | null = null;
  if (contentBytes > 0) {
    const frameBytes = zstd.compressInto(used, options.compressionLevel, frameSpace);
    frame = frameSpace.slice(0, frameBytes);
  }
  const times = { readMs: read - started, hashMs: hashed - read, compressMs: performance.now() - hashed };
  return { kind: 'done', job, parts: results, frame, contentBytes, contentSha256, times };
}

port.on('message', (job: ReadJob) => {
  let reply: ReadReply;
  try {
    reply = work(job);
  } catch (error) {
    reply = { kind: 'failed', job: job.job, message: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(reply, reply.kind === 'done' && reply.frame !== null ? [reply.frame.buffer] : []);
});
port.postMessage({ kind: 'ready' } satisfies ReadReply);
