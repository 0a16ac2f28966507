import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { SegmentToIndex } from './build-segment-index.ts';
import type { IndexJob, IndexReply } from './index-job.ts';
import type { SegmentIndexer } from './segment-indexer.ts';

interface Pending {
  readonly resolve: (index: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Makes indexes in a thread of low priority, so that a segment is finished with what processor time the intake of WAL leaves over. The
 * thread is started by the first segment, and again by the next one if it has ended.
 */
export class IndexThread implements SegmentIndexer {
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | null = null;
  #jobs = 0;
  #closed = false;

  async index(segment: SegmentToIndex): Promise<Buffer> {
    if (this.#closed) throw new TidemarkError('TM-INTERNAL-001', 'the thread that makes indexes is closed');
    const thread = (this.#thread ??= this.#start());
    const job = ++this.#jobs;
    return new Promise((resolve, reject) => {
      this.#pending.set(job, { resolve, reject });
      thread.postMessage({ job, segment } satisfies IndexJob);
    });
  }

  /** Ends the thread. A call that has not settled is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(new URL('./index-worker.js', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    thread.on('message', (reply: IndexReply) => this.#settle(reply));
    thread.on('error', (error) => this.#ended(thread, `failed: ${error.message}`));
    thread.on('exit', (status) => this.#ended(thread, `ended with status ${status}`));
    return thread;
  }

  #settle(reply: IndexReply): void {
    const pending = this.#pending.get(reply.job);
    this.#pending.delete(reply.job);
    if (reply.kind === 'done') pending?.resolve(Buffer.from(reply.index.buffer));
    else pending?.reject(new TidemarkError(reply.code as ErrorCode, reply.message));
  }

  #ended(thread: Worker, how: string): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    for (const { reject } of this.#pending.values()) {
      reject(new TidemarkError('TM-INTERNAL-001', `the thread that makes indexes ${how}`));
    }
    this.#pending.clear();
  }
}
