import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, NO_LSN, type Lsn } from '../postgres/lsn.ts';
import { timelineOf, type TimelineHistory } from '../postgres/timeline-history.ts';
import { segmentEnd, segmentName, segmentStart } from '../postgres/wal-segment.ts';
import { journalSegmentPath, walIndexPath, walSegmentPath } from '../repository/layout.ts';
import { IndexCache } from './index-cache.ts';
import { readObject } from '../repository/read-object.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import type { WalStreamKey } from '../wal/change-set.ts';
import type { ClockReading } from '../wal/clock-reading.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { decodeClocks } from '../wal-index/clock-reading-codec.ts';
import { EventScan } from '../wal-index/event-scan.ts';
import { JournalDecoder } from '../wal-index/journal-decoder.ts';
import { decodeSegmentEvents, peekSegmentEvents } from '../wal-index/segment-index.ts';

/** An index has a byte for a hundred of its segment's, or a few. */
const INDEX_BYTES_MAX = 512 * 1024 * 1024;
/** A segment and its neighbours. */
const INDEXES_CACHED = 3;
/** Enough for a segment's frame table and its first events. */
const PEEK_BYTES = 32 * 1024;

/** In one of so many segments lies a reading: one is taken each second. */
const READING_SEGMENTS_MAX = 256;

/** What a run of a node's WAL says of transactions and clocks. */
export interface WalPiece {
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
  /** Start of the last record that ends in it; NO_LSN if none is known. */
  readonly lastRecordLsn: Lsn;
  /** Encoded; of those at or after `untilLsn` nothing happened in the node's history. */
  readonly events: Buffer;
  /** Where the node left the piece's timeline; null if it did not. */
  readonly untilLsn: Lsn | null;
  readonly clocks: readonly ClockReading[];
  /** The branches that are open at its start; null if it does not say. */
  readonly openBranches: readonly TransactionEvent[] | null;
}

interface HeldWalOptions {
  readonly repository: ReadableRepository;
  readonly node: string;
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
  /** Of the newest timeline. */
  readonly history: TimelineHistory;
  /** Of nodes with these histories. */
  readonly cache?: IndexCache<WalPiece>;
}

/**
 * What a copy holds of one node's history, over its timelines: finished segments by their indexes, the rest by the journal. The bytes of the
 * WAL are not read. Files are found by their names, so that it does not matter how many there are.
 */
export class HeldWal {
  readonly node: string;
  readonly history: TimelineHistory;
  readonly segmentBytes: number;
  readonly systemIdentifier: string;
  readonly #repository: ReadableRepository;
  readonly #cache: IndexCache<WalPiece>;

  constructor(options: HeldWalOptions) {
    this.node = options.node;
    this.history = options.history;
    this.segmentBytes = options.segmentBytes;
    this.systemIdentifier = options.systemIdentifier;
    this.#repository = options.repository;
    this.#cache = options.cache ?? new IndexCache(INDEXES_CACHED);
  }

  /** The timeline that a position of this history belongs to. */
  timelineOf(position: Lsn): number {
    return timelineOf(this.history, position);
  }

  /** From the segment that holds `fromLsn` on to the end of what is held; each piece joins the one before. */
  async *pieces(fromLsn: Lsn): AsyncGenerator<WalPiece, void> {
    let position = segmentStart(fromLsn, this.segmentBytes);
    for (let isGrowing = true; isGrowing;) {
      isGrowing = false;
      for (const stream of this.#streamsAt(position)) {
        for await (const piece of this.#segment(stream, position)) {
          if (piece.endLsn <= position) continue;
          if (piece.startLsn > position) break;
          position = piece.endLsn;
          isGrowing = true;
          yield piece;
        }
        if (isGrowing) break;
      }
    }
  }

  /** The index of the finished segment that holds a position, as a piece; null if there is none. */
  async indexed(position: Lsn): Promise<WalPiece | null> {
    for (const stream of this.#streamsAt(position)) {
      const piece = await this.#readIndex(stream, position);
      if (piece !== null) return piece;
    }
    return null;
  }

  /** The clock readings of the nearest finished segment on one side of a position's own that has any. */
  async nearestReadings(position: Lsn, direction: 1 | -1): Promise<readonly ClockReading[]> {
    const start = segmentStart(position, this.segmentBytes);
    for (let steps = 1; steps <= READING_SEGMENTS_MAX; steps++) {
      const at = start + BigInt(direction * steps * this.segmentBytes);
      const piece = at < 0n ? null : await this.indexed(lsn(at));
      if (piece === null) return [];
      if (piece.clocks.length > 0) return piece.clocks;
    }
    return [];
  }

  /**
   * By the node's clock, when the first transaction event of a finished segment happened, without verifying it. Null if the segment has
   * no index, undefined if it has no events at its beginning.
   */
  async peekTimeUs(position: Lsn): Promise<number | null | undefined> {
    for (const stream of this.#streamsAt(position)) {
      const path = walIndexPath(stream, segmentName(stream.timeline, position, this.segmentBytes));
      const entry = await this.#repository.stat(path);
      if (entry === null) continue;
      const lengthBytes = Math.min(PEEK_BYTES, entry.sizeBytes);
      const chunks: Buffer[] = [];
      for await (const chunk of this.#repository.read(path, { offsetBytes: 0, lengthBytes })) chunks.push(chunk);
      const events = peekSegmentEvents(Buffer.concat(chunks));
      const isPrefix = events !== null && lengthBytes < entry.sizeBytes;
      const whole = events ?? (await this.#readIndex(stream, position))?.events ?? Buffer.alloc(0);
      const scan = new EventScan(whole, { isPrefix });
      return scan.nextTimed() ? scan.timeUs : undefined;
    }
    return null;
  }

  /** Those that may hold a position, the one first to which it belongs: a timeline begins with a copy of the segment where it left its parent. */
  #streamsAt(position: Lsn): WalStreamKey[] {
    const own = this.timelineOf(position);
    const timelines = [own];
    let beforeLsn: Lsn = NO_LSN;
    for (const { timeline, switchLsn } of [
      ...this.history.ancestors,
      { timeline: this.history.timeline, switchLsn: null },
    ]) {
      if (timeline > own && segmentStart(beforeLsn, this.segmentBytes) <= position) timelines.push(timeline);
      beforeLsn = switchLsn ?? beforeLsn;
    }
    const { node, systemIdentifier } = this;
    return timelines.map((timeline) => ({ node, systemIdentifier, timeline }));
  }

  async *#segment(stream: WalStreamKey, position: Lsn): AsyncGenerator<WalPiece, void> {
    const name = segmentName(stream.timeline, position, this.segmentBytes);
    // A segment may be finished between two tries: then its journal file is gone, and its index is there.
    for (const path of [null, journalSegmentPath(stream, name), null, walSegmentPath(stream, name)]) {
      if (path === null) {
        const piece = await this.#readIndex(stream, position);
        if (piece !== null) {
          yield piece;
          return;
        }
      } else if ((await this.#repository.stat(path)) !== null) {
        try {
          yield* this.#readEntries(stream, path);
          return;
        } catch (error) {
          if (!isMissing(error)) throw error;
        }
      }
    }
  }

  async #readIndex(stream: WalStreamKey, position: Lsn): Promise<WalPiece | null> {
    const path = walIndexPath(stream, segmentName(stream.timeline, position, this.segmentBytes));
    return await this.#cache.get(path, () => this.#decodeIndex(stream, path));
  }

  async #decodeIndex(stream: WalStreamKey, path: string): Promise<WalPiece | null> {
    let bytes: Buffer;
    try {
      bytes = await readObject(this.#repository, path, INDEX_BYTES_MAX);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    const { startLsn, lastRecordLsn, events, clocks, openBranches } = decodeSegmentEvents(bytes, path);
    const endLsn = segmentEnd(startLsn, this.segmentBytes);
    return inHistory({ startLsn, endLsn, lastRecordLsn, events, clocks, openBranches, untilLsn: this.#endOf(stream) });
  }

  async *#readEntries(stream: WalStreamKey, path: string): AsyncGenerator<WalPiece, void> {
    const decoder = new JournalDecoder();
    const untilLsn = this.#endOf(stream);
    for await (const chunk of this.#repository.read(path)) {
      for (const { entry } of decoder.push(chunk)) {
        const { startLsn, endLsn, lastRecordLsn, events } = entry;
        const clocks = decodeClocks(entry.clocks);
        yield inHistory({ startLsn, endLsn, lastRecordLsn, events, clocks, untilLsn, openBranches: null });
      }
    }
  }

  #endOf(stream: WalStreamKey): Lsn | null {
    return this.history.ancestors.find(({ timeline }) => timeline === stream.timeline)?.switchLsn ?? null;
  }
}

/** Ends where the node left the piece's timeline: what lies behind is read of the next one, and a reading there says nothing of that. */
function inHistory(piece: WalPiece): WalPiece {
  const { untilLsn, endLsn, clocks } = piece;
  if (untilLsn === null || endLsn <= untilLsn) return piece;
  return { ...piece, endLsn: untilLsn, clocks: clocks.filter(({ atLsn }) => atLsn <= untilLsn) };
}

function isMissing(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'TM-REPO-002';
}
