import { Worker } from 'node:worker_threads';
import { assert } from '../errors/assert.ts';
import type { ErrorCode } from '../errors/codes.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../wal/change-set.ts';
import { frameBytesMax } from './zstd-frame.ts';
import type { ZstdJob, ZstdReply, ZstdWorkerData } from './zstd-job.ts';

/** One job is worked on, one waits at the worker's door. */
const SLOTS_PER_WORKER = 2;

/** A V8 heap of its own for each worker, kept small: it handles only messages, its bytes lie in the slots and in WebAssembly. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 1, stackSizeMb: 2 } as const;

export interface ZstdPoolOptions {
  /** Threads. */
  readonly workers: number;
  /** zstd's level, -7 to 6. */
  readonly level: number;
  /** Callers that may wait for a free slot; one more is a defect in the caller. */
  readonly waitingMax?: number;
}

export interface CompressedFrame {
  readonly frame: Buffer;
  /** Of the content, 32 bytes. */
  readonly contentSha256: Buffer;
  readonly frameCrc32: number;
}

interface Slot {
  readonly worker: PoolWorker;
  readonly index: number;
  readonly content: Uint8Array;
  readonly frame: Uint8Array;
  finish: ((reply: Extract<ZstdReply, { kind: 'done' }>) => void) | null;
  fail: ((error: Error) => void) | null;
}

/** A thread takes about 17 MiB, so it is started when there is work for it. */
interface PoolWorker {
  thread: Worker | null;
  readonly buffers: readonly SharedArrayBuffer[];
  readonly slots: readonly Slot[];
}

/**
 * Compresses and decompresses in worker threads. Its memory is fixed when it is made: each worker has two slots of shared memory, and a
 * call copies its bytes into a free slot or waits for one. So the caller's buffer is its own again when the call settles, nothing is
 * allocated but the result, and a slow pool makes its callers wait instead of queueing their bytes.
 */
export class ZstdPool {
  readonly #workers: PoolWorker[] = [];
  readonly #free: Slot[] = [];
  readonly #waiting: { resolve(slot: Slot): void; reject(error: Error): void }[] = [];
  readonly #waitingMax: number;
  readonly #level: number;
  #failure: Error | null = null;

  constructor(options: ZstdPoolOptions) {
    assert(options.workers >= 1, 'a pool has a worker');
    this.#waitingMax = options.waitingMax ?? 1024;
    this.#level = options.level;
    for (let count = 0; count < options.workers; count++) this.#workers.push(makeWorker());
    this.#free.push(...this.#workers.flatMap((worker) => worker.slots));
  }

  /** Calls that can be worked on without waiting for another one. */
  get capacity(): number {
    return this.#workers.length * SLOTS_PER_WORKER;
  }

  /**
   * One independent frame of at most 1 MiB of content. It was decompressed again and compared: it holds the content, and so do the
   * bytes of which `frameCrc32` is the checksum. `content` must not change until this settles.
   * @param level -7 to 6; left out: the pool's
   * @throws TidemarkError TM-INTERNAL-001 if the content is larger, the frame turns out not to hold it, or the pool is closed
   */
  async compress(content: Uint8Array, level = this.#level): Promise<CompressedFrame> {
    assert(content.byteLength <= FRAME_CONTENT_BYTES_MAX, 'a frame holds at most 1 MiB of content');
    const slot = await this.#takeSlot();
    try {
      slot.content.set(content);
      const done = await this.#work(slot, {
        kind: 'compress',
        slot: slot.index,
        level,
        inputBytes: content.byteLength,
        outputBytes: 0,
      });
      return {
        frame: copyOf(slot.frame, done.outputBytes),
        contentSha256: Buffer.from(done.contentSha256),
        frameCrc32: done.frameCrc32,
      };
    } finally {
      this.#giveSlot(slot);
    }
  }

  /**
   * The content of exactly one frame.
   * @param contentBytes the content's length, at most 1 MiB
   * @throws TidemarkError TM-REPO-003 if the frame is damaged or cut off, or holds another number of bytes
   */
  async decompress(frame: Uint8Array, contentBytes: number): Promise<Buffer> {
    if (contentBytes > FRAME_CONTENT_BYTES_MAX || frame.byteLength > frameBytesMax(FRAME_CONTENT_BYTES_MAX)) {
      throw new TidemarkError(
        'TM-REPO-003',
        `a zstd frame of ${frame.byteLength} bytes for ${contentBytes} bytes of content is larger than any frame may be`,
      );
    }
    const slot = await this.#takeSlot();
    try {
      slot.frame.set(frame);
      await this.#work(slot, {
        kind: 'decompress',
        slot: slot.index,
        level: 0,
        inputBytes: frame.byteLength,
        outputBytes: contentBytes,
      });
      return copyOf(slot.content, contentBytes);
    } finally {
      this.#giveSlot(slot);
    }
  }

  /** Ends the threads. Calls that have not settled are rejected. */
  async close(): Promise<void> {
    this.#fail(new TidemarkError('TM-INTERNAL-001', 'the compression pool is closed'));
    await Promise.all(this.#workers.map(async (worker) => worker.thread?.terminate()));
  }

  #startThread(worker: PoolWorker): Worker {
    const workerData: ZstdWorkerData = {
      slots: worker.buffers,
      contentBytesMax: FRAME_CONTENT_BYTES_MAX,
    };
    const thread = new Worker(new URL('./zstd-worker.js', import.meta.url), {
      workerData,
      resourceLimits: WORKER_LIMITS,
    });
    thread.on('message', (reply: ZstdReply) => settle(worker.slots, reply));
    thread.on('error', (error) => {
      this.#fail(
        new TidemarkError('TM-INTERNAL-001', `a compression thread failed: ${error.message}`, { cause: error }),
      );
    });
    thread.on('exit', (status) => {
      this.#fail(new TidemarkError('TM-INTERNAL-001', `a compression thread ended with status ${status}`));
    });
    return thread;
  }

  async #takeSlot(): Promise<Slot> {
    if (this.#failure !== null) throw this.#failure;
    const slot = this.#takeFreeSlot();
    if (slot !== null) return slot;
    assert(this.#waiting.length < this.#waitingMax, 'callers of the compression pool wait for its results');
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** An idle thread that runs, else one that is not started yet, else one that is busy: light work stays with one thread. */
  #takeFreeSlot(): Slot | null {
    const cost = ({ worker }: Slot): number =>
      (worker.slots.every((slot) => this.#free.includes(slot)) ? 0 : 2) + (worker.thread === null ? 1 : 0);
    const [best] = this.#free.toSorted((a, b) => cost(a) - cost(b));
    if (best === undefined) return null;
    this.#free.splice(this.#free.indexOf(best), 1);
    return best;
  }

  #giveSlot(slot: Slot): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(slot);
    else next.resolve(slot);
  }

  async #work(slot: Slot, job: ZstdJob): Promise<Extract<ZstdReply, { kind: 'done' }>> {
    if (this.#failure !== null) throw this.#failure;
    const thread = (slot.worker.thread ??= this.#startThread(slot.worker));
    // A call that waits for a thread keeps the process alive, an idle thread does not.
    thread.ref();
    try {
      return await new Promise((resolve, reject) => {
        slot.finish = resolve;
        slot.fail = reject;
        thread.postMessage(job);
      });
    } finally {
      slot.finish = null;
      slot.fail = null;
      if (slot.worker.slots.every((other) => other.finish === null)) thread.unref();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const caller of this.#waiting.splice(0)) caller.reject(this.#failure);
    for (const worker of this.#workers) {
      for (const slot of worker.slots) slot.fail?.(this.#failure);
    }
  }
}

function makeWorker(): PoolWorker {
  const buffers = Array.from(
    { length: SLOTS_PER_WORKER },
    () => new SharedArrayBuffer(FRAME_CONTENT_BYTES_MAX + frameBytesMax(FRAME_CONTENT_BYTES_MAX)),
  );
  const slots: Slot[] = [];
  const worker: PoolWorker = { thread: null, buffers, slots };
  for (const [index, buffer] of buffers.entries()) {
    slots.push({
      worker,
      index,
      content: new Uint8Array(buffer, 0, FRAME_CONTENT_BYTES_MAX),
      frame: new Uint8Array(buffer, FRAME_CONTENT_BYTES_MAX),
      finish: null,
      fail: null,
    });
  }
  return worker;
}

function settle(slots: readonly Slot[], reply: ZstdReply): void {
  if (reply.kind === 'ready') return;
  const slot = slots[reply.slot];
  assert(slot !== undefined, 'a reply names a slot of its worker');
  if (reply.kind === 'done') slot.finish?.(reply);
  else slot.fail?.(new TidemarkError(reply.code as ErrorCode, reply.message));
}

/** A copy in memory of its own, never a piece of a shared slab, so that keeping one small frame keeps nothing else. */
function copyOf(source: Uint8Array, bytes: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes);
  copy.set(source.subarray(0, bytes));
  return copy;
}
