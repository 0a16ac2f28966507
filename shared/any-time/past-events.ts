import type { ScannedEvent } from '../cuts/time-scan.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import type { WalStreamKey } from '../wal/change-set.ts';
import { EventScan } from '../wal-index/event-scan.ts';
import type { HeldWal } from './held-wal.ts';
import { openHeldWal } from './open-held-wal.ts';

/** A stretch of a node's WAL; it joins the one before. */
export interface PastEvents {
  readonly endLsn: Lsn;
  /** To be walked through at once; each is of use until the next is asked for. */
  readonly events: Iterable<ScannedEvent>;
}

interface PastStream extends WalStreamKey {
  readonly segmentBytes: number;
}

/**
 * A node's transaction events behind a record (null: all that are held), over its timelines, each once, from the indexes and the
 * journal of a copy. It ends where nothing more is held, or at a hole.
 * @throws TidemarkError TM-SNAP-004 if there is no WAL of the node, TM-WAL-003 if its timeline's history is missing
 */
export async function* readPastEvents(
  repository: ReadableRepository,
  stream: PastStream,
  afterLsn: Lsn | null,
): AsyncGenerator<PastEvents, void> {
  const { wal, firstLsn } = await openHeldWal(repository, stream);
  yield* pastEvents(wal, afterLsn ?? (await firstLsn()), afterLsn);
}

/**
 * The events from a segment on, of records behind a record (null: all). One segment's are in memory at a time.
 */
export async function* pastEvents(
  wal: Pick<HeldWal, 'pieces'>,
  fromLsn: Lsn,
  afterLsn: Lsn | null,
): AsyncGenerator<PastEvents, void> {
  let seenLsn = afterLsn === null ? -1 : Number(afterLsn);
  for await (const { endLsn, untilLsn, events } of wal.pieces(fromLsn)) {
    // A timeline begins with a copy of what was read before; behind its end lies what never happened.
    const until = untilLsn === null ? Infinity : Number(untilLsn);
    function* newEvents(): Generator<ScannedEvent> {
      const scan = new EventScan(events);
      while (scan.next() && scan.lsn < until) {
        if (scan.lsn <= seenLsn) continue;
        // What was open where a stream was read anew is told of the same place as the first record there.
        if (!scan.seeded) seenLsn = scan.lsn;
        yield scan;
      }
    }
    yield { endLsn, events: newEvents() };
  }
}
