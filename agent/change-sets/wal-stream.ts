import { storeFrame } from '../../shared/compression/stored-frame.ts';
import type { FrameSpace, ZstdPool } from '../../shared/compression/zstd-pool.ts';
import { assert } from '../../shared/errors/assert.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { maxLsn, minLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import type { ChangeSet } from '../../shared/wal/change-set.ts';
import { ChangedBlockCollector } from '../../shared/wal/changed-block-collector.ts';
import { WalParser } from '../../shared/wal/wal-parser.ts';
import type { PostgresSettings } from '../postgres/postgres-connection.ts';
import type { SqlClient } from '../postgres/sql-client.ts';
import { ReplicationConnection, type NextTimeline } from '../wal-receiver/replication-connection.ts';
import type { ReplicationMessage } from '../wal-receiver/replication-message.ts';
import { ensureSlot } from '../wal-receiver/replication-slot.ts';
import {
  forkOf,
  leftBefore,
  readTimelineHistories,
  type TimelineHistoryFile,
} from '../wal-receiver/timeline-histories.ts';
import { WalBuffer, type WalRun } from '../wal-receiver/wal-buffer.ts';
import { BoundedQueue } from './bounded-queue.ts';
import { ChangeSetCutter, type CutRun } from './change-set-cutter.ts';
import { compressionLevel, type CompressionLevels } from './compression-level.ts';
import { FlushPosition } from './flush-position.ts';
import { imageMissed, type PageImageZstd } from './page-image-zstd.ts';
import { readBeginning } from './prepared-transactions.ts';

export interface WalStreamSettings {
  readonly postgres: PostgresSettings;
  readonly sql: SqlClient;
  readonly slot: string;
  /** With slots that nobody else uses. */
  readonly pool: ZstdPool;
  /** In this thread: few are looked at. */
  readonly pageImages: PageImageZstd;
  readonly levels: CompressionLevels;
  readonly coalesceMs: number;
  /** The name of the connection, as a standby too. */
  readonly applicationName: string;
  /** Commits may wait for it: what was only received is not told to PostgreSQL as written either. */
  readonly synchronous: boolean;
  readonly clock: Clock;
}

export interface WalStreamRequest {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** NO_LSN: at the start of the segment that holds the slot's restart position. */
  readonly fromLsn: Lsn;
  /** Start of the first record that is not whole before `fromLsn`; NO_LSN: none is known, and `fromLsn` is a segment's start. */
  readonly parseFromLsn: Lsn;
  readonly segmentBytes: number;
}

/** Up to this a run that a commit waits for is stored as it is; the leader compresses it when its segment is finished. */
const STORED_BYTES_MAX = 16 * 1024;
/** A run of WAL in a slot of the pool; the slot is free again when the run is released. */
interface QueuedRun {
  /** Null if the change set needs it no more. */
  readonly run: WalRun | null;
  readonly compressed: ChangeSet | Promise<ChangeSet>;
}

/** Half of what a frame may hold: it compresses hardly worse, and everything on its way takes half the memory. */
const RUN_BYTES_MAX = 512 * 1024;
const STATUS_INTERVAL_MS = 1_000;
/** The walsender of an earlier connection ends when it notices; until then it holds the slot. */
const SLOT_WAIT_MS = 15_000;
const SLOT_RETRY_MS = 50;
/** A server that shuts down waits for every standby; what is not acknowledged by then comes again after its restart. */
const SHUTDOWN_GRACE_MS = 5_000;

/** What was found before a stream begins. */
interface StreamStart {
  readonly streamFromLsn: Lsn;
  readonly histories: readonly TimelineHistoryFile[];
  readonly serverEndLsn: Lsn;
  /** The slot's. */
  readonly restartLsn: Lsn;
  /** The server's history has left the timeline before the position that is asked for. */
  readonly left: NextTimeline | null;
}

/**
 * One run of the slot: from PostgreSQL's socket to change sets in order. All that is in memory is bounded: when change sets are not taken,
 * the socket is not read. PostgreSQL hears as flushed only what `acknowledge` was told.
 */
export class WalStream {
  /** First byte of the first change set. */
  readonly startLsn: Lsn;
  /** Of this timeline and its ancestors. */
  readonly histories: readonly TimelineHistoryFile[];
  readonly #settings: WalStreamSettings;
  readonly #connection: ReplicationConnection;
  readonly #cutter: ChangeSetCutter;
  readonly #flush: FlushPosition;
  readonly #buffer: WalBuffer;
  readonly #queue: BoundedQueue<QueuedRun>;
  /** The pool's slots that WAL is received into and compressed in, by their memory. */
  readonly #spaces = new Map<ArrayBufferLike, FrameSpace>();
  readonly #compressing = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #tasks: Promise<void>[] = [];
  #serverEndLsn: Lsn;
  /** End of the last run that was taken from the buffer. */
  #takenLsn: Lsn = NO_LSN;
  #receivedAtMs = 0;
  #shutdownSeenAtMs: number | null = null;
  #next: NextTimeline | null = null;

  private constructor(
    settings: WalStreamSettings,
    connection: ReplicationConnection,
    request: WalStreamRequest,
    cutter: ChangeSetCutter,
    start: StreamStart,
  ) {
    const { pool, coalesceMs, clock } = settings;
    const { streamFromLsn } = start;
    this.#settings = settings;
    this.#connection = connection;
    this.#cutter = cutter;
    this.startLsn = cutter.fromLsn;
    this.histories = start.histories;
    this.#serverEndLsn = start.serverEndLsn;
    this.#next = start.left;
    this.#flush = new FlushPosition(cutter.fromLsn, cutter.parseFromLsn, request.segmentBytes, start.restartLsn);
    this.#queue = new BoundedQueue(pool.capacity);
    this.#buffer = new WalBuffer({
      startLsn: streamFromLsn,
      runBytesMax: RUN_BYTES_MAX,
      buffers: pool.slots,
      makeBuffer: () => {
        const space = pool.lend();
        this.#spaces.set(space.content.buffer, space);
        return space.content;
      },
      coalesceMs,
      // Somebody waits: for the next piece while nothing else of it is on its way.
      ...(settings.synchronous ? { isIdle: () => this.#flush.acknowledgedLsn >= this.#takenLsn } : {}),
      clock,
      onFull: () => connection.pause(),
      onRoom: () => connection.resume(),
    });
    this.#tasks.push(this.#receive(request, streamFromLsn), this.#compress(), this.#reportStatus());
  }

  /**
   * Connects, makes the slot if it is missing, and begins to stream.
   * @throws TidemarkError TM-PG-001 to 005, TM-USAGE-001 for positions that do not fit together
   */
  static async open(settings: WalStreamSettings, request: WalStreamRequest): Promise<WalStream> {
    const restartLsn = await ensureSlot(settings.sql, settings.slot);
    await settings.pageImages.prepare(settings.sql);
    const first = request.fromLsn === NO_LSN;
    const connection = await ReplicationConnection.open(settings.postgres, settings.applicationName, settings.clock);
    try {
      const identity = await connection.identifySystem();
      if (identity.systemIdentifier !== request.systemIdentifier) {
        throw new TidemarkError(
          'TM-PG-003',
          `PostgreSQL at ${settings.postgres.host}:${settings.postgres.port} is system ${identity.systemIdentifier}, not ${request.systemIdentifier}`,
        );
      }
      const histories = await readTimelineHistories(connection, request.timeline);
      // After the slot exists: whatever is prepared from here on lies in the WAL that the slot keeps.
      const reservedLsn = restartLsn === NO_LSN ? identity.flushLsn : restartLsn;
      // The server's files of a timeline begin with the segment in which the timeline does.
      const beginLsn = maxLsn(reservedLsn, forkOf(request.timeline, histories));
      const fromLsn = first ? segmentStart(beginLsn, request.segmentBytes) : request.fromLsn;
      const prepared = first ? await readBeginning(settings.sql, fromLsn, settings.clock) : [];
      const atRecord = request.parseFromLsn !== NO_LSN;
      checkPositions(request, fromLsn);
      const parseFromLsn = atRecord ? request.parseFromLsn : fromLsn;
      const changedBlocks = new ChangedBlockCollector();
      const parser = new WalParser({
        timeline: request.timeline,
        segmentBytes: request.segmentBytes,
        systemIdentifier: request.systemIdentifier,
        startLsn: parseFromLsn,
        atRecord,
        majorVersion: identity.majorVersion,
        zstd: (frame, contentBytes) => settings.pageImages.decompress(frame, contentBytes),
        changedBlocks,
      });
      const cutter = new ChangeSetCutter({
        timeline: request.timeline,
        fromLsn,
        parseFromLsn,
        parser,
        changedBlocks,
        firstEvents: prepared,
      });
      return new WalStream(settings, connection, request, cutter, {
        streamFromLsn: minLsn(fromLsn, parseFromLsn),
        histories,
        serverEndLsn: identity.flushLsn,
        restartLsn,
        left: first ? null : await leftBefore(connection, identity.timeline, request.timeline, fromLsn),
      });
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /**
   * The change sets, in order, without a gap; ends when the timeline ends. To be iterated once. A change set's frame is valid until the next
   * one is asked for.
   * @throws TidemarkError TM-WAL-003, TM-WAL-007, TM-WAL-002, TM-PG-001, TM-PG-005
   */
  async *changeSets(): AsyncIterable<ChangeSet> {
    while (true) {
      const next = await this.#queue.take();
      if (next === null) return;
      try {
        const changeSet = await next.compressed;
        this.#flush.sent(changeSet);
        yield changeSet;
      } finally {
        if (next.run !== null) this.#buffer.release(next.run);
      }
    }
  }

  /** After `changeSets` has ended: where the history goes on; before the stream's start if what was read there never happened. */
  get next(): NextTimeline | null {
    return this.#next;
  }

  /** PostgreSQL's flush position, as far as it has told. */
  get serverEndLsn(): Lsn {
    return this.#serverEndLsn;
  }

  /** Since PostgreSQL was last heard, monotonic; it says nothing while it is not read. */
  get silentMs(): number {
    return this.#settings.clock.monotonicMs() - this.#receivedAtMs;
  }

  /** End of the last change set that was taken. */
  get sentLsn(): Lsn {
    return this.#flush.sentLsn;
  }

  get acknowledgedLsn(): Lsn {
    return this.#flush.acknowledgedLsn;
  }

  /** The leader says that everything before `durableLsn` is on the required copies; PostgreSQL is told at once. */
  acknowledge(durableLsn: Lsn): void {
    const before = this.#flush.flushLsn;
    this.#flush.acknowledge(durableLsn);
    if (this.#settings.synchronous) this.#buffer.wake();
    if (this.#flush.flushLsn > before) this.#sendStatus();
  }

  /** The history of the timeline that follows this one. */
  async nextHistory(): Promise<TimelineHistoryFile> {
    assert(this.#next !== null, 'the timeline has ended');
    const { timeline } = this.#next;
    const content = await this.#connection.timelineHistory(timeline);
    if (content === null) {
      throw new TidemarkError('TM-WAL-003', `PostgreSQL has no history file of timeline ${timeline}`);
    }
    return { timeline, content };
  }

  /** Ends the connection. Resolves when nothing of this stream runs any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#queue.end();
    this.#buffer.end();
    await this.#connection.close();
    await Promise.all(this.#tasks);
    await Promise.allSettled(this.#compressing);
    for (const space of this.#spaces.values()) space.giveBack();
    this.#spaces.clear();
  }

  async #receive(request: WalStreamRequest, startLsn: Lsn): Promise<void> {
    const { clock, slot } = this.#settings;
    const deadlineMs = clock.monotonicMs() + SLOT_WAIT_MS;
    this.#receivedAtMs = clock.monotonicMs();
    try {
      // Nothing of this timeline is left to be read.
      if (this.#next !== null) return this.#buffer.end();
      while (true) {
        try {
          this.#next = await this.#connection.stream({
            slot,
            timeline: request.timeline,
            startLsn,
            onMessage: (message) => this.#take(message),
          });
          if (this.#next === null) throw new TidemarkError('TM-PG-001', 'PostgreSQL ended the stream of WAL');
          this.#buffer.end();
          return;
        } catch (error) {
          const taken = error instanceof TidemarkError && error.code === 'TM-PG-005';
          if (!taken || clock.monotonicMs() >= deadlineMs) throw error;
          await clock.sleep(SLOT_RETRY_MS, this.#closing.signal);
        }
      }
    } catch (error) {
      this.#buffer.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(message: ReplicationMessage): void {
    this.#receivedAtMs = this.#settings.clock.monotonicMs();
    this.#serverEndLsn = maxLsn(this.#serverEndLsn, message.serverEndLsn);
    if (message.kind === 'wal') {
      this.#shutdownSeenAtMs = null;
      this.#buffer.append(message.startLsn, message.bytes, this.#serverEndLsn);
      return;
    }
    if (!message.replyRequested) return;
    this.#sendStatus();
    // We report each second, so a server that asks although it has sent everything waits for us in order to shut down. Without
    // acknowledgements it would wait for ever.
    if (this.#buffer.endLsn < message.serverEndLsn || this.#flush.flushLsn >= this.#buffer.endLsn) return;
    this.#shutdownSeenAtMs ??= this.#receivedAtMs;
    if (this.#receivedAtMs - this.#shutdownSeenAtMs > SHUTDOWN_GRACE_MS) {
      throw new TidemarkError(
        'TM-PG-001',
        'PostgreSQL is shutting down, and some of its last WAL is not acknowledged yet',
      );
    }
  }

  async #compress(): Promise<void> {
    const { synchronous } = this.#settings;
    try {
      while (await this.#queue.room()) {
        const run = await this.#buffer.take();
        if (run === null) break;
        this.#takenLsn = run.endLsn;
        const cut = this.#cutter.cut(run);
        // Nothing may go out that was parsed with less than it takes.
        if (this.#settings.pageImages.missed) throw imageMissed();
        if (cut === null) {
          this.#buffer.release(run);
          continue;
        }
        if (synchronous && cut.content.byteLength <= STORED_BYTES_MAX) {
          const { content, ...changeSet } = cut;
          const stored: ChangeSet = { ...changeSet, ...storeFrame(content) };
          this.#buffer.release(run);
          this.#queue.put({ run: null, compressed: stored });
          continue;
        }
        const compressed = this.#compressRun(cut);
        this.#compressing.add(compressed);
        // Whoever takes it from the queue sees the failure; until then it is nobody's.
        void compressed.catch(() => undefined).then(() => this.#compressing.delete(compressed));
        this.#queue.put({ run, compressed });
      }
      this.#queue.end();
    } catch (error) {
      this.#queue.fail(error);
    }
  }

  async #compressRun({ content, ...changeSet }: CutRun): Promise<ChangeSet> {
    const space = this.#spaces.get(content.buffer);
    assert(space !== undefined, 'runs lie in slots of the pool');
    const level = compressionLevel(this.#settings.levels, changeSet.endLsn, this.#serverEndLsn);
    return { ...changeSet, ...(await space.compress(content, level)) };
  }

  /** On a timer of its own, so that PostgreSQL keeps the connection while the socket is paused. */
  async #reportStatus(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#sendStatus();
      await this.#settings.clock.sleep(STATUS_INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  /** With `remote_write` a commit waits for what is written; so in synchronous mode that, too, is what was acknowledged. */
  #sendStatus(): void {
    const { flushLsn } = this.#flush;
    this.#connection.sendStatus(this.#settings.synchronous ? flushLsn : this.#buffer.endLsn, flushLsn);
  }
}

/** Slots of a pool for one stream: two for each thread, then one that is being sent, one that fills, one spare and one that is ready. */
export function slotsForStream(workers: number): number {
  return workers * 2 + 4;
}

function checkPositions(request: WalStreamRequest, fromLsn: Lsn): void {
  const { parseFromLsn, segmentBytes } = request;
  const atSegmentStart = segmentStart(fromLsn, segmentBytes) === fromLsn;
  if (parseFromLsn === NO_LSN && !atSegmentStart) {
    throw new TidemarkError(
      'TM-USAGE-001',
      `WAL from ${fromLsn} on: not a segment's start, and no record's start is given`,
    );
  }
}
