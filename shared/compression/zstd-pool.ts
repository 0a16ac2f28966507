import { Worker } from 'node:worker_threads';
import { assert } from '../errors/assert.ts';
import type { ErrorCode } from '../errors/codes.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../wal/change-set.ts';
import { BYTE_WORKER_LIMITS } from './byte-worker-limits.ts';
import { frameBytesMax } from './zstd-frame.ts';
import type { ZstdJob, ZstdReply, ZstdWorkerData } from './zstd-job.ts';

/** One job is worked on, one waits at the worker's door. */
const JOBS_PER_WORKER = 2;

export interface ZstdPoolOptions {
  /** Threads. */
  readonly workers: number;
  /** zstd's level, -7 to 6. */
  readonly level: number;
  /** Callers that may wait for a free slot; one more is a defect in the caller. */
  readonly waitingMax?: number;
  /** Of 2 MiB each. Left out: two for each worker; more where some are lent. */
  readonly slots?: number;
}

export interface CompressedFrame {
  readonly frame: Buffer;
  /** Of the content, 32 bytes. */
  readonly contentSha256: Buffer;
  readonly frameCrc32: number;
}

/** A slot that is lent: room for a content that is compressed where it lies. */
export interface FrameSpace {
  /** 1 MiB. */
  readonly content: Buffer;
  /**
   * Like `ZstdPool.compress`, of a part of `content`, and without a copy: the frame is valid until the next call, or until the slot is
   * given back. One call at a time.
   */
  compress(part: Uint8Array, level: number): Promise<CompressedFrame>;
  /** After the last call has settled. */
  giveBack(): void;
}

interface Slot {
  readonly index: number;
  readonly buffer: SharedArrayBuffer;
  readonly content: Uint8Array;
  readonly frame: Uint8Array;
  finish: ((reply: Extract<ZstdReply, { kind: 'done' }>) => void) | null;
  fail: ((error: Error) => void) | null;
}

/** A thread takes about 17 MiB, so it is started when there is work for it. */
interface PoolWorker {
  thread: Worker | null;
  /** Jobs that it has and has not answered. */
  jobs: number;
}

/**
 * Compresses and decompresses in worker threads. Its memory is fixed when it is made: slots of memory that all threads see. A call copies
 * its bytes into a free slot or waits for one. So the caller's buffer is its own again when the call settles, nothing is
 * allocated but the result, and a slow pool makes its callers wait instead of queueing their bytes. Who borrows slots has nothing copied
 * or allocated at all.
 */
export class ZstdPool {
  readonly #workers: readonly PoolWorker[];
  readonly #slots: readonly Slot[];
  readonly #free: Slot[];
  readonly #waiting: { resolve(slot: Slot): void; reject(error: Error): void }[] = [];
  readonly #waitingMax: number;
  readonly #level: number;
  #failure: Error | null = null;

  constructor(options: ZstdPoolOptions) {
    assert(options.workers >= 1, 'a pool has a worker');
    this.#waitingMax = options.waitingMax ?? 1024;
    this.#level = options.level;
    this.#workers = Array.from({ length: options.workers }, () => ({ thread: null, jobs: 0 }));
    this.#slots = Array.from({ length: options.slots ?? this.capacity }, (_, index) => makeSlot(index));
    this.#free = [...this.#slots];
  }

  /** Calls that can be worked on without waiting for another one. */
  get capacity(): number {
    return this.#workers.length * JOBS_PER_WORKER;
  }

  get slots(): number {
    return this.#slots.length;
  }

  /** Borrows a slot that is free. */
  lend(): FrameSpace {
    const slot = this.#free.pop();
    assert(slot !== undefined, 'no more is lent than the pool was made for');
    return {
      content: Buffer.from(slot.buffer, 0, FRAME_CONTENT_BYTES_MAX),
      compress: async (part, level) => {
        assert(part.buffer === slot.buffer && part.byteOffset < FRAME_CONTENT_BYTES_MAX, 'a content lies in its slot');
        const done = await this.#work(slot, {
          kind: 'compress',
          slot: slot.index,
          level,
          inputOffsetBytes: part.byteOffset,
          inputBytes: part.byteLength,
          outputBytes: 0,
        });
        const frame = Buffer.from(slot.buffer, FRAME_CONTENT_BYTES_MAX, done.outputBytes);
        return { frame, contentSha256: Buffer.from(done.contentSha256), frameCrc32: done.frameCrc32 };
      },
      giveBack: () => this.#giveSlot(slot),
    };
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
        inputOffsetBytes: 0,
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
        inputOffsetBytes: 0,
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

  #startThread(): Worker {
    const workerData: ZstdWorkerData = {
      slots: this.#slots.map(({ buffer }) => buffer),
      contentBytesMax: FRAME_CONTENT_BYTES_MAX,
    };
    const thread = new Worker(new URL('./zstd-worker.js', import.meta.url), {
      workerData,
      resourceLimits: BYTE_WORKER_LIMITS,
    });
    thread.on('message', (reply: ZstdReply) => settle(this.#slots, reply));
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
    const slot = this.#free.pop();
    if (slot !== undefined) return slot;
    assert(this.#waiting.length < this.#waitingMax, 'callers of the compression pool wait for its results');
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** An idle thread that runs, else one that is not started yet, else the one that has least to do: light work stays with one thread. */
  #chooseWorker(): PoolWorker {
    const cost = ({ thread, jobs }: PoolWorker): number => 2 * jobs + (thread === null ? 1 : 0);
    return this.#workers.reduce((best, worker) => (cost(worker) < cost(best) ? worker : best));
  }

  #giveSlot(slot: Slot): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(slot);
    else next.resolve(slot);
  }

  async #work(slot: Slot, job: ZstdJob): Promise<Extract<ZstdReply, { kind: 'done' }>> {
    if (this.#failure !== null) throw this.#failure;
    const worker = this.#chooseWorker();
    const thread = (worker.thread ??= this.#startThread());
    worker.jobs += 1;
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
      worker.jobs -= 1;
      if (worker.jobs === 0) thread.unref();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const caller of this.#waiting.splice(0)) caller.reject(this.#failure);
    for (const slot of this.#slots) slot.fail?.(this.#failure);
  }
}

function makeSlot(index: number): Slot {
  const buffer = new SharedArrayBuffer(FRAME_CONTENT_BYTES_MAX + frameBytesMax(FRAME_CONTENT_BYTES_MAX));
  return {
    index,
    buffer,
    content: new Uint8Array(buffer, 0, FRAME_CONTENT_BYTES_MAX),
    frame: new Uint8Array(buffer, FRAME_CONTENT_BYTES_MAX),
    finish: null,
    fail: null,
  };
}

function settle(slots: readonly Slot[], reply: ZstdReply): void {
  if (reply.kind === 'ready') return;
  const slot = slots[reply.slot];
  assert(slot !== undefined, 'a reply names a slot of its pool');
  if (reply.kind === 'done') slot.finish?.(reply);
  else slot.fail?.(new TidemarkError(reply.code as ErrorCode, reply.message));
}

/** A copy in memory of its own, never a piece of a shared slab, so that keeping one small frame keeps nothing else. */
function copyOf(source: Uint8Array, bytes: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes);
  copy.set(source.subarray(0, bytes));
  return copy;
}
