import type { Clock } from '../../shared/lifecycle/clock.ts';
import { systemClock } from '../../shared/lifecycle/clock.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { checkSegmentBytes, segmentStart } from '../../shared/postgres/wal-segment.ts';
import { readHistory } from '../../shared/repository/timeline-histories.ts';
import { journalSegmentPath } from '../../shared/repository/layout.ts';
import type { PosixRepository } from '../../shared/repository/posix-repository.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import type { OpenFile } from './journal-file.ts';
import { findStreams, recoverStream } from './journal-recovery.ts';
import type { FrameCodec } from './overlap.ts';
import { rejectOnAbort } from '../../shared/lifecycle/reject-on-abort.ts';
import { SegmentFinisher } from './segment-finisher.ts';
import { localIndexer, type SegmentIndexer } from './segment-indexer.ts';
import { Wakeup } from './wakeup.ts';
import { streamId, type AppendedListener, type WalPosition, type WalSource } from './wal-positions.ts';
import { StreamRuns } from './stream-runs.ts';
import type { WalStream } from './wal-stream.ts';

/** What the journal needs of a repository: a directory of its own, and objects made of files in it. */
export type JournalRepository = Pick<
  PosixRepository,
  'name' | 'absolutePath' | 'ensureDirectory' | 'link' | 'create' | 'stat' | 'read' | 'delete'
>;

export interface WalStoreOptions {
  readonly repository: JournalRepository;
  /** A ZstdPool: for merging small frames and for comparing runs that were cut differently. */
  readonly zstd: FrameCodec;
  /** Left out: this thread. */
  readonly indexer?: SegmentIndexer;
  readonly clock?: Clock;
  /** What stops a stream from becoming durable or being finished, each once, and null when it goes on; for the log and metrics. */
  readonly onProblem?: (stream: WalStreamKey, problem: TidemarkError | null) => void;
  /** How long a group of change sets took to become durable. */
  readonly onSynced?: (durationMs: number) => void;
  /** Damage that was found and set aside at opening, in words; for the log. */
  readonly onNote?: (note: string) => void;
  /** Stands in for the file system in tests. */
  readonly openFile?: OpenFile;
}

/** What a stream knows of the store that it belongs to. */
export interface StreamContext {
  readonly root: string;
  readonly repository: JournalRepository;
  readonly zstd: FrameCodec;
  readonly indexer: SegmentIndexer;
  readonly clock: Clock;
  readonly openFile?: OpenFile | undefined;
  /** Aborted when the store is closed. */
  readonly signal: AbortSignal;
  readonly appended: AppendedListener;
  readonly segmentWhole: (stream: WalStream, startLsn: Lsn) => void;
  /** Its own `problem`, or the finisher's, may be another one now. */
  readonly problemChanged: (stream: WalStreamKey) => void;
  readonly synced: (durationMs: number) => void;
  /** The run of the timeline that the stream's history was on before `lsn`, if it is held up to there; null otherwise. */
  readonly runBefore: (stream: WalStreamKey, lsn: Lsn) => Promise<WalStream | null>;
}

/** A journal file as far as it is durable, for those who read a copy from outside. */
export interface JournalFileEntry {
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * The WAL that one coordinator holds: journal files for the segments that are not whole yet, immutable objects for those that are.
 * Invariants: a stream has holes only where one was allowed or a file was lost; what `position` calls durable has been synced and survives this process and its machine's power;
 * a byte at a position is written once and never replaced. A crash at any moment is repaired by `open`.
 */
export class WalStore implements WalSource {
  readonly #context: StreamContext;
  readonly #streams = new Map<string, StreamRuns>();
  readonly #listeners = new Set<AppendedListener>();
  readonly #closing = new AbortController();
  readonly #finisher: SegmentFinisher;
  readonly #streamAdded = new Wakeup();
  /** Of each stream, the problem that was told last. */
  readonly #told = new Map<string, string>();

  private constructor(options: WalStoreOptions) {
    const root = options.repository.absolutePath('journal').replace(/\/journal$/, '');
    this.#context = {
      root,
      repository: options.repository,
      zstd: options.zstd,
      indexer: options.indexer ?? localIndexer,
      clock: options.clock ?? systemClock,
      openFile: options.openFile,
      signal: this.#closing.signal,
      appended: (stream, changeSet) => {
        for (const listener of this.#listeners) listener(stream, changeSet);
      },
      segmentWhole: (stream, startLsn) => this.#finisher.add(stream, startLsn),
      problemChanged: (stream) => this.#tellProblem(stream, options.onProblem),
      synced: options.onSynced ?? (() => {}),
      runBefore: (stream, lsn) => this.#runBefore(stream, lsn),
    };
    this.#finisher = new SegmentFinisher(this.#context);
  }

  /**
   * Recovers what the repository's journal holds, cutting off what a crash left behind, and takes up the finishing of whole segments.
   * @throws TidemarkError TM-REPO-009 if the files cannot be read or synced
   */
  static async open(options: WalStoreOptions): Promise<WalStore> {
    const store = new WalStore(options);
    for (const key of await findStreams(store.#context.root)) {
      const { runs, notes } = await recoverStream(store.#context.root, key);
      for (const note of notes) options.onNote?.(note);
      const stream = StreamRuns.recovered(store.#context, runs);
      if (stream === null) continue;
      store.#streams.set(streamId(key), stream);
      for (const [index, run] of stream.runs.entries()) {
        for (const startLsn of runs[index]?.unfinished ?? []) store.#finisher.add(run, startLsn);
      }
    }
    return store;
  }

  /**
   * Takes a change set in and resolves when it is durable here. To be called in the order of the WAL, without waiting for the one before;
   * change sets that arrive while a sync is under way share the next one. What is held already is compared and not
   * written again. While there is no room, or the disk fails, it is tried again and the promise stays open. A change set may also fill a
   * hole, from its beginning on.
   * @throws TidemarkError TM-WAL-004 for other bytes than are held, TM-WAL-006 for a run that leaves a hole, TM-WAL-002 for a malformed one
   */
  async append(stream: WalStreamKey, segmentBytes: number, changeSet: ChangeSet): Promise<void> {
    await this.#streamFor(stream, segmentBytes, changeSet.startLsn).append(changeSet);
  }

  /**
   * A change set that begins at `startLsn` may begin a run: whoever appends it knows that nobody has what lies before. Until the next
   * start of this process; the hole itself lasts until somebody fills it.
   */
  allowHoleBefore(stream: WalStreamKey, startLsn: Lsn): void {
    this.#streams.get(streamId(stream))?.allow(startLsn);
  }

  positions(): readonly WalPosition[] {
    return [...this.#streams.values()].flatMap((stream) => stream.position ?? []);
  }

  position(stream: WalStreamKey): WalPosition | null {
    return this.#streams.get(streamId(stream))?.position ?? null;
  }

  /** Start of the last change set that is held: who asks a peer from there on compares it with the peer's. Null if nothing is held. */
  resumeLsn(stream: WalStreamKey): Lsn | null {
    return this.#streams.get(streamId(stream))?.last?.lastStartLsn ?? null;
  }

  /** Waits until everything that was taken in is durable; rejects with the signal's reason. */
  async settle(stream: WalStreamKey, signal: AbortSignal): Promise<void> {
    const runs = this.#streams.get(streamId(stream))?.runs ?? [];
    await rejectOnAbort(Promise.all(runs.map((run) => run.waitForDurable(run.takenLsn))), signal);
  }

  async *read(stream: WalStreamKey, fromLsn: Lsn, signal: AbortSignal): AsyncGenerator<ChangeSet, void> {
    while (!this.#streams.has(streamId(stream))) {
      if (signal.aborted) return;
      this.#closing.signal.throwIfAborted();
      await this.#streamAdded.wait(signal);
    }
    const known = this.#streams.get(streamId(stream));
    if (known !== undefined) yield* known.read(fromLsn, signal);
  }

  onAppended(listener: AppendedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why a stream does not become durable at the moment, or its segments are not finished; null if nothing is wrong. */
  problem(stream: WalStreamKey): TidemarkError | null {
    return this.#streams.get(streamId(stream))?.problem ?? this.#finisher.problem(stream);
  }

  /** The journal files, as far as they are durable, in path order. A file that is finished meanwhile has become an object. */
  async journalFiles(): Promise<readonly JournalFileEntry[]> {
    const files: JournalFileEntry[] = [];
    for (const stream of this.#streams.values()) {
      // Looked at first: one that becomes whole meanwhile is still told of.
      const active = stream.runs.flatMap((run) => run.activeFile());
      files.push(...(await this.#finisher.files(stream.stream)), ...active);
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Waits until no whole segment is left to finish. */
  async finished(): Promise<void> {
    await this.#finisher.idle();
  }

  /** Ends everything; what was appended and is not durable yet is rejected. */
  async close(): Promise<void> {
    this.#closing.abort(new TidemarkError('TM-RPC-001', 'the journal is closed'));
    this.#streamAdded.wake();
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()));
    await this.#finisher.idle();
  }

  #streamFor(stream: WalStreamKey, segmentBytes: number, startLsn: Lsn): StreamRuns {
    const id = streamId(stream);
    const known = this.#streams.get(id);
    if (known !== undefined) {
      if (known.segmentBytes === segmentBytes) return known;
      throw new TidemarkError(
        'TM-WAL-002',
        `${id} has segments of ${known.segmentBytes} bytes here, and of ${segmentBytes} bytes where it comes from`,
      );
    }
    if (segmentStart(startLsn, checkSegmentBytes(segmentBytes)) !== startLsn) {
      throw new TidemarkError('TM-WAL-006', `${id} cannot begin at ${formatLsn(startLsn)}, inside of a segment`);
    }
    // Makes sure that the names can be part of a path, before anything is kept under them.
    journalSegmentPath(stream, 'x');
    const { node, systemIdentifier, timeline } = stream;
    const key = { node, systemIdentifier, timeline };
    const added = new StreamRuns(this.#context, key, segmentBytes, []);
    this.#streams.set(id, added);
    this.#streamAdded.wake();
    return added;
  }

  #tellProblem(stream: WalStreamKey, tell: WalStoreOptions['onProblem']): void {
    const id = streamId(stream);
    const problem = this.problem(stream);
    if (problem?.message === this.#told.get(id)) return;
    if (problem === null) this.#told.delete(id);
    else this.#told.set(id, problem.message);
    tell?.(stream, problem);
  }

  async #runBefore(stream: WalStreamKey, lsn: Lsn): Promise<WalStream | null> {
    const history = await readHistory(this.#context.repository, stream);
    if (history === null) {
      throw new TidemarkError(
        'TM-WAL-003',
        `the history of timeline ${stream.timeline} of ${stream.node} is not here yet`,
        {
          retryable: true,
        },
      );
    }
    // WAL that an earlier timeline had behind the place where it was left is nobody's past.
    const before = history.ancestors.find(({ switchLsn }) => switchLsn >= lsn);
    const held = this.#streams.get(streamId({ ...stream, timeline: before?.timeline ?? stream.timeline }));
    const run = held?.runs.find(({ position }) => position.firstLsn < lsn && position.durableLsn >= lsn);
    return run ?? null;
  }
}
