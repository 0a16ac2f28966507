import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { assert } from '../errors/assert.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { loadZstd } from './zstd.ts';
import type { ZstdJob, ZstdReply, ZstdWorkerData } from './zstd-job.ts';

const port = parentPort;
assert(port !== null, 'zstd-worker runs as a worker');
const { slots, contentBytesMax } = workerData as ZstdWorkerData;
const zstd = await loadZstd();
// A slot: room for the content, then room for the frame.
const contents = slots.map((slot) => new Uint8Array(slot, 0, contentBytesMax));
const frames = slots.map((slot) => new Uint8Array(slot, contentBytesMax));

const reply = (message: ZstdReply): void => port.postMessage(message);

function work(job: ZstdJob): ZstdReply {
  const content = contents[job.slot];
  const frame = frames[job.slot];
  assert(content !== undefined && frame !== undefined, 'a job names a slot of its pool');
  if (job.kind === 'compress') {
    const input = content.subarray(job.inputOffsetBytes, job.inputOffsetBytes + job.inputBytes);
    const outputBytes = zstd.compressInto(input, job.level, frame);
    const output = frame.subarray(0, outputBytes);
    const frameCrc32 = crc32(output);
    // From here on nobody looks into the frame until it is needed, and then what it was made of is long gone.
    if (!zstd.holds(output, input)) {
      throw new TidemarkError(
        'TM-INTERNAL-001',
        `a zstd frame of ${outputBytes} bytes holds other bytes than it is to`,
      );
    }
    const contentSha256 = createHash('sha256').update(input).digest();
    return { kind: 'done', slot: job.slot, outputBytes, contentSha256, frameCrc32 };
  }
  zstd.decompressInto(frame.subarray(0, job.inputBytes), content.subarray(0, job.outputBytes));
  return {
    kind: 'done',
    slot: job.slot,
    outputBytes: job.outputBytes,
    contentSha256: new Uint8Array(0),
    frameCrc32: 0,
  };
}

port.on('message', (job: ZstdJob) => {
  try {
    reply(work(job));
  } catch (error) {
    const code = error instanceof TidemarkError ? error.code : 'TM-INTERNAL-001';
    reply({ kind: 'failed', slot: job.slot, code, message: error instanceof Error ? error.message : String(error) });
  }
});
reply({ kind: 'ready' });
