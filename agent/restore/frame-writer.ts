import { Worker } from 'node:worker_threads';
import { BYTE_WORKER_LIMITS } from '../../shared/compression/byte-worker-limits.ts';
import { assert } from '../../shared/errors/assert.ts';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { FrameWrite, WriteJob, WriteReply } from './write-job.ts';

/** A compressed frame and where its content goes. */
export interface PlacedFrame {
  /** For messages. */
  readonly name: string;
  readonly frame: Uint8Array;
  readonly contentBytes: number;
  /** Hexadecimal. */
  readonly contentSha256: string;
  readonly writes: readonly FrameWrite[];
}

const JOBS_PER_WORKER = 3;
const SYNC_FILES_MAX = 64;

type JobBody = WriteJob extends infer J ? (J extends WriteJob ? Omit<J, 'job'> : never) : never;

/**
 * Threads that decompress, verify and write. `write` resolves as soon as there is room for the next frame, so that at most
 * {@link JOBS_PER_WORKER} for each thread are held; `settle` says whether all of them were written. After the first failure
 * everything fails with it.
 */
export class FrameWriter {
  readonly #threads: { readonly thread: Worker; jobs: number }[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #owners = new Map<number, { jobs: number }>();
  #nextJob = 0;
  #failure: Error | null = null;

  constructor(workers: number) {
    assert(workers >= 1, 'a restore has a worker');
    for (let count = 0; count < workers; count++) {
      const thread = new Worker(new URL('./write-worker.js', import.meta.url), {
        resourceLimits: BYTE_WORKER_LIMITS,
      });
      thread.on('message', (reply: WriteReply) => this.#take(reply));
      thread.on('error', (error) => this.#fail(new TidemarkError('TM-INTERNAL-001', error.message, { cause: error })));
      thread.on('exit', (status) =>
        this.#fail(new TidemarkError('TM-INTERNAL-001', `a writing thread ended with status ${status}`)),
      );
      this.#threads.push({ thread, jobs: 0 });
    }
  }

  /** @throws TidemarkError TM-REPO-003 if an earlier frame was damaged, TM-REPO-007 if there is no room */
  async write({ frame, ...placed }: PlacedFrame): Promise<void> {
    const own = new Uint8Array(frame);
    await this.#submit({ ...placed, kind: 'frame', frame: own }, [own.buffer]);
  }

  /** Makes files durable. Settled by {@link settle}. */
  async sync(files: readonly string[]): Promise<void> {
    for (let at = 0; at < files.length; at += SYNC_FILES_MAX) {
      await this.#submit({ kind: 'sync', files: files.slice(at, at + SYNC_FILES_MAX) }, []);
    }
  }

  /** Resolves when everything submitted was done. @throws TidemarkError as {@link write} */
  async settle(): Promise<void> {
    await this.#until(() => this.#owners.size === 0);
  }

  async close(): Promise<void> {
    this.#fail(new TidemarkError('TM-INTERNAL-001', 'the frame writer is closed'));
    await Promise.all(this.#threads.map(({ thread }) => thread.terminate()));
  }

  async #submit(body: JobBody, transfer: ArrayBuffer[]): Promise<void> {
    await this.#until(() => this.#threads.some((thread) => thread.jobs < JOBS_PER_WORKER));
    const target = this.#threads.reduce((least, thread) => (thread.jobs < least.jobs ? thread : least));
    const job = this.#nextJob++;
    target.jobs += 1;
    this.#owners.set(job, target);
    target.thread.postMessage({ ...body, job } satisfies WriteJob, transfer);
  }

  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      if (condition()) return;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #take(reply: WriteReply): void {
    if (reply.kind === 'ready') return;
    const owner = this.#owners.get(reply.job);
    if (owner !== undefined) owner.jobs -= 1;
    this.#owners.delete(reply.job);
    if (reply.kind === 'failed') this.#fail(new TidemarkError(reply.code as ErrorCode, reply.message));
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
