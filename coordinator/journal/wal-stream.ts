import { join } from 'node:path';
import { assert } from '../../shared/errors/assert.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, formatLsn, maxLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentEnd, segmentName, segmentStart } from '../../shared/postgres/wal-segment.ts';
import { journalPrefix, journalSegmentPath, walSegmentPath } from '../../shared/repository/layout.ts';
import { isErrno, storageError } from '../../shared/repository/posix-paths.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { encodeJournalEntry } from '../../shared/wal-index/journal-entry.ts';
import { checkChangeSet, describe, toChangeSet, toJournalEntry } from './change-set-entry.ts';
import { readEntries } from './entry-reader.ts';
import { JournalFile } from './journal-file.ts';
import type { RecoveredStream } from './journal-recovery.ts';
import { joinOverlap } from './overlap.ts';
import { TailCache } from './tail-cache.ts';
import { Wakeup } from './wakeup.ts';
import { asProblem } from './storage-problem.ts';
import { streamId, type WalPosition } from './wal-positions.ts';
import type { JournalFileEntry, StreamContext } from './wal-store.ts';

/** One group of entries is written and synced at a time; it takes what has gathered meanwhile, up to this. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;
/** More buffers than this are copied into one before they are written. */
const WRITE_BUFFERS_MAX = 64;
const TAIL_BYTES_MAX = 4 * 1024 * 1024;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

interface QueuedEntry {
  readonly changeSet: ChangeSet;
  readonly buffers: readonly Buffer[];
  readonly bytes: number;
}

interface Waiter {
  readonly position: Lsn;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/**
 * The journal of one run of a WAL stream. Taken in: [firstLsn, takenLsn), without a hole, each byte once. Durable: [firstLsn, durableLsn), in
 * finished objects and journal files. What is taken in and not durable is in memory, in the queue and in the tail; a write
 * or sync that fails is made again from there, on a file that was cut off behind the last durable entry, until it succeeds.
 */
export class WalStream {
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  readonly #context: StreamContext;
  #firstLsn: Lsn;
  #ended = false;
  readonly #tail = new TailCache(TAIL_BYTES_MAX);
  readonly #grown = new Wakeup();
  /** Those who wait for a position to become durable, by position. */
  readonly #waiting: Waiter[] = [];
  #durable: Pick<WalPosition, 'durableLsn' | 'nextRecordLsn' | 'lastRecordLsn'>;
  #takenLsn: Lsn;
  #lastStartLsn: Lsn;
  #queue: QueuedEntry[] = [];
  #writing: Promise<void> | null = null;
  #admitting: Promise<unknown> | null = null;
  #file: JournalFile | null = null;
  #fileBytes: number;
  #problem: TidemarkError | null = null;

  constructor(
    context: StreamContext,
    start: RecoveredStream | { stream: WalStreamKey; segmentBytes: number; firstLsn: Lsn },
  ) {
    this.#context = context;
    this.stream = start.stream;
    this.segmentBytes = start.segmentBytes;
    this.#firstLsn = start.firstLsn;
    const recovered = 'durableLsn' in start ? start : null;
    this.#durable = recovered ?? { durableLsn: start.firstLsn, nextRecordLsn: start.firstLsn, lastRecordLsn: NO_LSN };
    this.#takenLsn = this.#durable.durableLsn;
    this.#lastStartLsn = recovered?.lastStartLsn ?? this.#takenLsn;
    this.#fileBytes = recovered?.activeBytes ?? 0;
  }

  get position(): WalPosition {
    const { durableLsn, nextRecordLsn, lastRecordLsn } = this.#durable;
    const { stream, segmentBytes } = this;
    const runs = [{ startLsn: this.#firstLsn, endLsn: durableLsn }];
    return { stream, segmentBytes, firstLsn: this.#firstLsn, runs, durableLsn, nextRecordLsn, lastRecordLsn };
  }

  get firstLsn(): Lsn {
    return this.#firstLsn;
  }

  /** End of what was taken in; at least the durable position. */
  get takenLsn(): Lsn {
    return this.#takenLsn;
  }

  /** Start of the last change set that was taken in. */
  get lastStartLsn(): Lsn {
    return this.#lastStartLsn;
  }

  /** Why nothing becomes durable at the moment; null if nothing is wrong. */
  get problem(): TidemarkError | null {
    return this.#problem;
  }

  /** The journal file that is being appended to, as far as it is durable. */
  activeFile(): readonly JournalFileEntry[] {
    if (this.#fileBytes === 0) return [];
    const name = segmentName(this.stream.timeline, this.#durable.durableLsn, this.segmentBytes);
    return [{ path: journalSegmentPath(this.stream, name), sizeBytes: this.#fileBytes }];
  }

  /** @returns a promise of the change set's durability; see WalStore.append */
  async append(changeSet: ChangeSet): Promise<void> {
    checkChangeSet(this.stream, changeSet, this.segmentBytes);
    if (this.#admitting === null && changeSet.startLsn === this.#takenLsn) {
      this.#take(changeSet);
    } else {
      const earlier = this.#admitting;
      const admitting = (async () => {
        await earlier?.catch(() => {});
        await this.#admitOverlapping(changeSet);
      })();
      this.#admitting = admitting;
      try {
        await admitting;
      } finally {
        if (this.#admitting === admitting) this.#admitting = null;
      }
    }
    await this.waitForDurable(changeSet.endLsn);
  }

  /** Resolves once the position is durable, rejects when the store is closed before. */
  async waitForDurable(position: Lsn): Promise<void> {
    if (this.#durable.durableLsn >= position) return;
    this.#context.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiting = this.#waiting;
      let at = waiting.length;
      while (at > 0 && (waiting[at - 1]?.position ?? NO_LSN) > position) at--;
      waiting.splice(at, 0, { position, resolve, reject });
    });
  }

  /** Another run has begun behind this one: whoever reads it comes to an end. */
  endReading(): void {
    this.#ended = true;
    this.#grown.wake();
  }

  /** What lies before it, down to `firstLsn`, is held too: two runs have met. */
  extendBack(firstLsn: Lsn): void {
    this.#firstLsn = firstLsn;
  }

  /** See WalSource.read. */
  async *read(fromLsn: Lsn, signal: AbortSignal): AsyncGenerator<ChangeSet, void> {
    let position = maxLsn(fromLsn, this.#firstLsn);
    while (!signal.aborted) {
      const cached = this.#tail.find(position);
      if (cached !== null) {
        position = cached.endLsn;
        yield cached;
      } else if (position >= this.#durable.durableLsn) {
        assert(position >= this.#takenLsn, 'what is not durable is in memory');
        if (this.#ended) return;
        await this.#grown.wait(signal);
        this.#context.signal.throwIfAborted();
      } else {
        for await (const changeSet of this.#readSegment(position)) {
          position = changeSet.endLsn;
          yield changeSet;
          if (signal.aborted) return;
        }
      }
    }
  }

  /** Waits for the write that is under way, and closes the file. The context's signal is aborted. */
  async close(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(this.#context.signal.reason as Error);
    this.#grown.wake();
    await this.#writing;
    await this.#file?.close();
    this.#file = null;
  }

  async #admitOverlapping(changeSet: ChangeSet): Promise<void> {
    if (changeSet.startLsn > this.#takenLsn) {
      throw new TidemarkError(
        'TM-WAL-006',
        `${describe(this.stream, changeSet)} does not join what is held up to ${formatLsn(this.#takenLsn)}`,
      );
    }
    if (changeSet.startLsn === this.#takenLsn) {
      this.#take(changeSet);
      return;
    }
    const rest = await joinOverlap(this.stream, changeSet, this.#takenLsn, this.#held(changeSet), this.#context.zstd);
    if (rest !== null) this.#take(rest);
  }

  /** The change sets that are held and overlap with a given one. */
  async *#held(changeSet: ChangeSet): AsyncGenerator<ChangeSet, void> {
    let position = maxLsn(changeSet.startLsn, this.#firstLsn);
    for await (const held of this.read(position, this.#context.signal)) {
      yield held;
      position = held.endLsn;
      if (position >= changeSet.endLsn || position >= this.#takenLsn) return;
    }
  }

  #take(changeSet: ChangeSet): void {
    this.#context.signal.throwIfAborted();
    assert(changeSet.startLsn === this.#takenLsn, 'what is taken in joins what was taken in before');
    const buffers = encodeJournalEntry(toJournalEntry(changeSet, this.segmentBytes));
    this.#queue.push({ changeSet, buffers, bytes: buffers[0].length + buffers[1].length });
    this.#tail.push(changeSet);
    this.#lastStartLsn = changeSet.startLsn;
    this.#takenLsn = changeSet.endLsn;
    this.#grown.wake();
    this.#writing ??= this.#writeQueue();
  }

  async #writeQueue(): Promise<void> {
    try {
      while (this.#queue.length > 0 && !this.#context.signal.aborted) {
        const group = this.#nextGroup();
        if (!(await this.#writeUntilDurable(group))) return;
        this.#queue.splice(0, group.length);
        await this.#settle(group);
      }
    } finally {
      this.#writing = null;
    }
  }

  /** The first entries of the queue that lie in one segment. */
  #nextGroup(): readonly QueuedEntry[] {
    const end = segmentEnd(this.#durable.durableLsn, this.segmentBytes);
    let bytes = 0;
    let count = 0;
    for (const entry of this.#queue) {
      if (entry.changeSet.startLsn >= end || (count > 0 && bytes + entry.bytes > GROUP_BYTES_MAX)) break;
      bytes += entry.bytes;
      count++;
    }
    return this.#queue.slice(0, count);
  }

  /** False if the store was closed before it succeeded. */
  async #writeUntilDurable(group: readonly QueuedEntry[]): Promise<boolean> {
    const parts = group.flatMap((entry) => entry.buffers);
    const buffers = parts.length > WRITE_BUFFERS_MAX ? [Buffer.concat(parts)] : parts;
    const { signal, clock } = this.#context;
    for (let delayMs = RETRY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      try {
        this.#file ??= await this.#openFile();
        const startedAtMs = clock.monotonicMs();
        await this.#file.append(buffers);
        this.#context.synced(clock.monotonicMs() - startedAtMs);
        this.#fileBytes = this.#file.durableBytes;
        this.#setProblem(null);
        return true;
      } catch (error) {
        this.#setProblem(asProblem(error, `write the journal of ${streamId(this.stream)} in ${this.#context.root}`));
        await this.#file?.close();
        this.#file = null;
      }
      try {
        await clock.sleep(delayMs, signal);
      } catch {
        return false;
      }
    }
  }

  async #openFile(): Promise<JournalFile> {
    const name = segmentName(this.stream.timeline, this.#durable.durableLsn, this.segmentBytes);
    await this.#context.repository.ensureDirectory(journalPrefix(this.stream).slice(0, -1));
    return JournalFile.open(
      join(this.#context.root, journalSegmentPath(this.stream, name)),
      this.#fileBytes,
      this.#context.openFile,
    );
  }

  /** In one turn, so that nobody sees a segment that is whole as still being appended to, or as neither. */
  async #settle(group: readonly QueuedEntry[]): Promise<void> {
    for (const { changeSet } of group) {
      this.#durable = {
        durableLsn: changeSet.endLsn,
        nextRecordLsn: changeSet.nextRecordLsn,
        lastRecordLsn: changeSet.lastRecordLsn === NO_LSN ? this.#durable.lastRecordLsn : changeSet.lastRecordLsn,
      };
      this.#context.appended(this.stream, changeSet);
    }
    this.#tail.trim(this.#durable.durableLsn);
    const { durableLsn } = this.#durable;
    const finished = segmentStart(durableLsn, this.segmentBytes) === durableLsn ? this.#file : null;
    if (finished !== null) {
      this.#file = null;
      this.#fileBytes = 0;
      this.#context.segmentWhole(this, segmentStart((durableLsn - 1n) as Lsn, this.segmentBytes));
    }
    const first = this.#waiting.findIndex(({ position }) => position > durableLsn);
    for (const { resolve } of this.#waiting.splice(0, first === -1 ? this.#waiting.length : first)) resolve();
    await finished?.close();
  }

  #setProblem(problem: TidemarkError | null): void {
    if (problem === null && this.#problem === null) return;
    this.#problem = problem;
    this.#context.problemChanged(this.stream);
  }

  /** What is durable of one segment from `position` on. */
  async *#readSegment(position: Lsn): AsyncGenerator<ChangeSet, void> {
    const name = segmentName(this.stream.timeline, position, this.segmentBytes);
    const isActive =
      segmentStart(position, this.segmentBytes) === segmentStart(this.#durable.durableLsn, this.segmentBytes);
    const journal = join(this.#context.root, journalSegmentPath(this.stream, name));
    const object = join(this.#context.root, walSegmentPath(this.stream, name));
    // A segment may be finished, its journal file removed, between two tries; the object stays.
    for (const path of isActive ? [journal, object] : [object, journal, object]) {
      const limit = isActive && path === journal ? { limitBytes: this.#fileBytes } : {};
      const entries = readEntries(path, { fromLsn: position, ...limit });
      let endLsn = position;
      try {
        for await (const { entry } of entries) {
          if (entry.endLsn <= position) continue;
          endLsn = entry.endLsn;
          yield toChangeSet(entry);
        }
        // Asked for again and again, it would never give more.
        if (endLsn > position) return;
        throw new TidemarkError('TM-REPO-003', `${path} ends before ${formatLsn(position)}, which it is to hold`);
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw storageError(error, `read ${path}`);
      }
    }
    throw new TidemarkError(
      'TM-REPO-002',
      `segment ${name} of ${streamId(this.stream)} is gone from ${this.#context.root}`,
    );
  }
}
