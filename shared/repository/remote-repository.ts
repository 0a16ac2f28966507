import { TidemarkError } from '../errors/tidemark-error.ts';
import type { Channel } from '../rpc/channel.ts';
import { callStream, callUnary } from '../rpc/streams.ts';
import type { ByteRange, ObjectEntry, ReadableRepository } from './repository.ts';

const STAT_DEADLINE_MS = 10_000;

interface RemoteRepositoryOptions {
  /** Coordinators, tried in this order; each may hold a copy of its own. */
  readonly channels: readonly Channel[];
  readonly signal?: AbortSignal;
}

/**
 * The copies of several coordinators read as one repository. Objects are immutable, so a reading that fails in the middle goes
 * on at the same offset with the next coordinator. One that has not got an object is passed over like one that is away. A
 * journal file may be longer in one copy than in another: whoever must have a certain length asks `stat` and checks what comes.
 */
export class RemoteRepository implements ReadableRepository {
  readonly name: string;
  readonly #channels: readonly Channel[];
  readonly #signal: AbortSignal | undefined;

  constructor(options: RemoteRepositoryOptions) {
    this.#channels = options.channels;
    this.#signal = options.signal;
    this.name = this.#channels.map(({ address }) => address).join(', ');
  }

  /** What the first coordinator that answers lists. */
  async *list(prefix: string): AsyncGenerator<ObjectEntry, void> {
    let last: string | null = null;
    let failure: unknown = null;
    for (const channel of this.#channels) {
      try {
        for await (const { path, sizeBytes } of callStream(
          channel.repository,
          'ListObjects',
          { prefix },
          this.#call(),
        )) {
          if (last !== null && path <= last) continue;
          yield { path, sizeBytes: Number(sizeBytes) };
          last = path;
        }
        return;
      } catch (error) {
        failure = this.#passable(error, failure);
      }
    }
    throw failure ?? this.#nobody();
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    let failure: unknown = null;
    let isMissing = false;
    for (const channel of this.#channels) {
      try {
        const settings = { ...this.#call(), deadlineMs: STAT_DEADLINE_MS };
        const entry = await callUnary(channel.repository, 'StatObject', { path }, settings);
        if (entry !== undefined) return { path: entry.path, sizeBytes: Number(entry.sizeBytes) };
      } catch (error) {
        if (isCode(error, 'TM-REPO-002')) isMissing = true;
        else failure = this.#passable(error, failure);
      }
    }
    if (isMissing) return null;
    throw failure ?? this.#nobody();
  }

  async *read(path: string, range: ByteRange = { offsetBytes: 0 }): AsyncGenerator<Buffer, void> {
    let done = 0;
    let failure: unknown = null;
    for (const channel of this.#channels) {
      const wanted = range.lengthBytes === undefined ? 0 : range.lengthBytes - done;
      if (range.lengthBytes !== undefined && wanted === 0) return;
      const request = { path, offsetBytes: range.offsetBytes + done, lengthBytes: wanted };
      try {
        for await (const { data } of callStream(channel.repository, 'ReadObject', request, this.#call())) {
          done += data.length;
          yield data;
        }
        return;
      } catch (error) {
        failure = this.#passable(error, failure);
      }
    }
    throw failure ?? this.#nobody();
  }

  #call(): { signal?: AbortSignal } {
    return this.#signal === undefined ? {} : { signal: this.#signal };
  }

  /** The error to end with if nobody else can help; thrown at once where nobody could. */
  #passable(error: unknown, before: unknown): unknown {
    this.#signal?.throwIfAborted();
    if (isCode(error, 'TM-REPO-006') || isCode(error, 'TM-USAGE-001')) throw error;
    // What a coordinator says about the object tells more than that another is away.
    return before === null || isCode(before, 'TM-RPC-001') ? error : before;
  }

  #nobody(): TidemarkError {
    return new TidemarkError('TM-RPC-001', 'no coordinator is named to read from');
  }
}

function isCode(error: unknown, code: TidemarkError['code']): boolean {
  return error instanceof TidemarkError && error.code === code;
}
