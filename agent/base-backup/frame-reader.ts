import { Worker } from 'node:worker_threads';
import { BYTE_WORKER_LIMITS } from '../../shared/compression/byte-worker-limits.ts';
import { assert } from '../../shared/errors/assert.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { PartResult, ReadJob, ReadPart, ReadReply, ReadTimes, ReadWorkerData } from './read-job.ts';

/** A frame as a worker made it, with what became of its parts, in the order planned. */
export interface ReadFrame {
  readonly parts: readonly PartResult[];
  /** Null if every part has vanished or shrunk to nothing. */
  readonly frame: Buffer | null;
  readonly contentBytes: number;
  readonly contentSha256: Buffer;
}

interface FrameReaderOptions extends ReadWorkerData {
  readonly workers: number;
}

/** Frames for each worker that are being made, waiting to be made, or made and not yet taken. */
const FRAMES_PER_WORKER = 3;

type Done = Extract<ReadReply, { kind: 'done' }>;

/**
 * Threads that read and compress. At most {@link FRAMES_PER_WORKER} frames for each exist at any time: whoever takes them
 * slowly makes the reading wait.
 */
export class FrameReader {
  readonly #threads: Worker[] = [];
  readonly #results: Done[] = [];
  readonly #times = { readMs: 0, hashMs: 0, compressMs: 0 };
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor({ workers, ...workerData }: FrameReaderOptions) {
    assert(workers >= 1, 'a base backup has a worker');
    for (let count = 0; count < workers; count++) {
      const thread = new Worker(new URL('./read-worker.js', import.meta.url), {
        workerData,
        resourceLimits: BYTE_WORKER_LIMITS,
      });
      thread.on('message', (reply: ReadReply) => this.#take(reply));
      thread.on('error', (error) => this.#fail(`a reading thread failed: ${error.message}`, error));
      thread.on('exit', (status) => this.#fail(`a reading thread ended with status ${status}`));
      this.#threads.push(thread);
    }
  }

  /** Where the threads' time went so far. */
  get times(): ReadTimes {
    return this.#times;
  }

  /**
   * Makes the frames, in the order in which they get ready, each with the plan it was made from.
   * @throws TidemarkError TM-BACKUP-001 if a file cannot be read
   */
  async *read<Plan>(
    plans: Iterable<Plan>,
    partsOf: (plan: Plan) => readonly ReadPart[],
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly plan: Plan; readonly result: ReadFrame }> {
    const source = plans[Symbol.iterator]();
    const pending = new Map<number, { plan: Plan; thread: Worker }>();
    let next = 0;
    const feed = (thread: Worker): void => {
      const { value, done } = source.next();
      if (done === true) return;
      const job = next++;
      pending.set(job, { plan: value, thread });
      thread.postMessage({ job, parts: partsOf(value) } satisfies ReadJob);
    };
    for (let round = 0; round < FRAMES_PER_WORKER; round++) {
      for (const thread of this.#threads) feed(thread);
    }
    while (pending.size > 0) {
      const done = await this.#result(signal);
      const job = pending.get(done.job);
      assert(job !== undefined, 'a thread answers what it was asked');
      pending.delete(done.job);
      yield { plan: job.plan, result: frameOf(done) };
      feed(job.thread);
    }
  }

  async close(): Promise<void> {
    this.#failure ??= new TidemarkError('TM-INTERNAL-001', 'the frame reader is closed');
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  async #result(signal: AbortSignal): Promise<Done> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failure !== null) throw this.#failure;
      const result = this.#results.shift();
      if (result !== undefined) return result;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          this.#wake = null;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener('abort', wake);
      });
    }
  }

  #take(reply: ReadReply): void {
    if (reply.kind === 'failed') {
      this.#fail(reply.message);
    } else if (reply.kind === 'done') {
      this.#results.push(reply);
      this.#times.readMs += reply.times.readMs;
      this.#times.hashMs += reply.times.hashMs;
      this.#times.compressMs += reply.times.compressMs;
      this.#wake?.();
    }
  }

  #fail(what: string, cause?: unknown): void {
    this.#failure ??= new TidemarkError('TM-BACKUP-001', what, { cause });
    this.#wake?.();
  }
}

function frameOf(done: Done): ReadFrame {
  const { frame, contentSha256 } = done;
  return {
    parts: done.parts,
    frame: frame === null ? null : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength),
    contentBytes: done.contentBytes,
    contentSha256: Buffer.from(contentSha256),
  };
}
