import { readFile, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import { segmentEnd, segmentName, segmentStart } from '../../shared/postgres/wal-segment.ts';
import { journalSegmentPath, walIndexPath, walSegmentPath } from '../../shared/repository/layout.ts';
import { isErrno, syncDirectory } from '../../shared/repository/posix-paths.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import {
  applyEvents,
  listOpen,
  NOTHING_OPEN,
  type OpenTransactions,
} from '../../shared/wal-index/open-transactions.ts';
import { decodeSegmentIndex, type SegmentIndex } from '../../shared/wal-index/segment-index.ts';
import { hasEntriesAtMost, readEntries } from './entry-reader.ts';
import { mergeFrames } from './merge-frames.ts';
import { asProblem } from './storage-problem.ts';
import { streamId } from './wal-positions.ts';
import type { JournalFileEntry, StreamContext } from './wal-store.ts';
import type { WalStream } from './wal-stream.ts';

/** A segment whose frames hold less than this on average is written anew with its frames merged. */
const FRAME_CONTENT_BYTES_WANTED = 64 * 1024;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;

interface Queue {
  readonly segments: { readonly stream: WalStream; readonly startLsn: Lsn }[];
  running: Promise<void> | null;
  problem: TidemarkError | null;
}

/**
 * Makes objects of whole segments, one at a time for each stream, oldest first, beside the intake. The order of a segment's steps is
 * object, index, removal of the journal file; each can be repeated, and the journal file is there until the last, so a crash between
 * any two is repaired by doing them again.
 */
export class SegmentFinisher {
  readonly #context: StreamContext;
  readonly #queues = new Map<string, Queue>();
  /** The branches that are open at the end of the last segment that was finished. */
  readonly #carried = new WeakMap<WalStream, { readonly lsn: Lsn; readonly open: OpenTransactions }>();

  constructor(context: StreamContext) {
    this.#context = context;
  }

  /** The segment that begins at `startLsn` is whole and durable in its journal file. */
  add(stream: WalStream, startLsn: Lsn): void {
    const id = streamId(stream.stream);
    let queue = this.#queues.get(id);
    if (queue === undefined) this.#queues.set(id, (queue = { segments: [], running: null, problem: null }));
    // What fills a hole comes late, and what is open after it is read from it.
    const at = queue.segments.findIndex((other) => other.startLsn > startLsn);
    queue.segments.splice(at === -1 ? queue.segments.length : at, 0, { stream, startLsn });
    this.#start(queue);
  }

  problem(stream: WalStreamKey): TidemarkError | null {
    return this.#queues.get(streamId(stream))?.problem ?? null;
  }

  /** The journal files of a stream that are whole and not finished yet. */
  async files(key: WalStreamKey): Promise<JournalFileEntry[]> {
    const files: JournalFileEntry[] = [];
    for (const { stream, startLsn } of this.#queues.get(streamId(key))?.segments.slice() ?? []) {
      const path = journalPath(stream, startLsn);
      try {
        files.push({ path, sizeBytes: (await stat(join(this.#context.root, path))).size });
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
    return files;
  }

  /** Waits until nothing is left, or the store was closed. */
  async idle(): Promise<void> {
    for (;;) {
      const running = [...this.#queues.values()].flatMap((queue) => queue.running ?? []);
      if (running.length === 0) return;
      await Promise.all(running);
    }
  }

  #start(queue: Queue): void {
    if (queue.running !== null || queue.segments.length === 0 || this.#context.signal.aborted) return;
    queue.running = this.#run(queue).finally(() => {
      queue.running = null;
      this.#start(queue);
    });
  }

  async #run(queue: Queue): Promise<void> {
    const { signal, clock } = this.#context;
    let delayMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      const [segment] = queue.segments;
      if (segment === undefined) return;
      const { stream, startLsn } = segment;
      try {
        await this.#finish(stream, startLsn);
        queue.segments.splice(queue.segments.indexOf(segment), 1);
        if (queue.problem !== null) {
          queue.problem = null;
          this.#context.problemChanged(stream.stream);
        }
        delayMs = RETRY_MIN_MS;
      } catch (error) {
        queue.problem = asProblem(error, `finish a segment of ${streamId(stream.stream)}`);
        this.#context.problemChanged(stream.stream);
        await clock.sleep(delayMs, signal).catch(() => {});
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
      }
    }
  }

  async #finish(stream: WalStream, startLsn: Lsn): Promise<void> {
    const { root, repository, zstd } = this.#context;
    const path = journalPath(stream, startLsn);
    const file = join(root, path);
    const object = walSegmentPath(stream.stream, segmentNameAt(stream, startLsn));
    if ((await repository.stat(object)) === null) {
      if (await hasEntriesAtMost(file, stream.segmentBytes / FRAME_CONTENT_BYTES_WANTED)) {
        await repository.link(path, object);
      } else {
        await repository.create(object, mergeFrames(readEntries(file), zstd));
      }
    } else {
      // It was published before a crash, perhaps not yet durably in its directory.
      await syncDirectory(dirname(join(root, object)));
    }
    await this.#index(stream, startLsn);
    await unlink(file);
    await syncDirectory(dirname(file));
  }

  /** Writes the index beside a segment's object, unless it is there. The branches that are open at its end are carried to the next. */
  async #index(stream: WalStream, startLsn: Lsn): Promise<void> {
    const { root, repository, indexer } = this.#context;
    const name = segmentNameAt(stream, startLsn);
    const path = walIndexPath(stream.stream, name);
    let index: SegmentIndex;
    if ((await repository.stat(path)) === null) {
      const openBranches = listOpen(await this.#openAt(stream, startLsn));
      const object = join(root, walSegmentPath(stream.stream, name));
      const segment = {
        stream: stream.stream,
        startLsn,
        segmentBytes: stream.segmentBytes,
        path: object,
        openBranches,
      };
      const encoded = await indexer.index(segment);
      await repository.create(path, encoded);
      index = decodeSegmentIndex(encoded, path);
    } else {
      index = decodeSegmentIndex(await readFile(join(root, path)), path);
    }
    this.#carried.set(stream, {
      lsn: segmentEnd(startLsn, stream.segmentBytes),
      open: applyEvents(openOf(index), index.events),
    });
  }

  /**
   * What is open where a segment starts: carried from the one before, or read from its index. Nothing where a run begins: what is open
   * there comes as its first events.
   */
  async #openAt(stream: WalStream, startLsn: Lsn): Promise<OpenTransactions> {
    const carried = this.#carried.get(stream);
    if (carried?.lsn === startLsn) return carried.open;
    if (startLsn <= stream.position.firstLsn) {
      // A timeline begins with what was open on the one that it left.
      const before = await this.#context.runBefore(stream.stream, startLsn);
      return before === null ? NOTHING_OPEN : this.#openAt(before, startLsn);
    }
    const before = segmentStart((startLsn - 1n) as Lsn, stream.segmentBytes);
    await this.#index(stream, before);
    return this.#openAt(stream, startLsn);
  }
}

function openOf({ openBranches }: SegmentIndex): OpenTransactions {
  return applyEvents(NOTHING_OPEN, openBranches);
}

function segmentNameAt(stream: WalStream, startLsn: Lsn): string {
  return segmentName(stream.stream.timeline, startLsn, stream.segmentBytes);
}

function journalPath(stream: WalStream, startLsn: Lsn): string {
  return journalSegmentPath(stream.stream, segmentNameAt(stream, startLsn));
}
