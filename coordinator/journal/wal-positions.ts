import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';

/** What one coordinator's copy holds of one WAL stream, durable: the bytes of its runs, and none between them. */
export interface WalPosition {
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  /** Start of the first segment that is kept. */
  readonly firstLsn: Lsn;
  /** In order, with a hole between each two; the last ends at durableLsn. Empty while nothing is durable. */
  readonly runs: readonly LsnRange[];
  /** One past the last durable byte. */
  readonly durableLsn: Lsn;
  /** Start of the first record that does not end at or before durableLsn. */
  readonly nextRecordLsn: Lsn;
  /** Start of the last record that ends at or before durableLsn; NO_LSN if none is known. */
  readonly lastRecordLsn: Lsn;
}

/** A change set that has become durable in this copy. Each byte of a stream once; in the order of the WAL, but for holes that are filled. */
export type AppendedListener = (stream: WalStreamKey, changeSet: ChangeSet) => void;

/** The reading half of a `WalStore`: for those who derive things from the WAL that this coordinator holds. */
export interface WalSource {
  positions(): readonly WalPosition[];
  /** Null if nothing of the stream is held. */
  position(stream: WalStreamKey): WalPosition | null;
  /**
   * The change sets from the one that holds `fromLsn` on (its start may lie before; NO_LSN: the first that is held), first from
   * finished segments and the journal, then as they arrive, until the signal is aborted. Pulled: holds one change set ahead at most.
   * At the tail it may hand out what is not durable here yet; the bytes at a position never change. What is not held is passed over:
   * a change set that begins behind the end of the one before (or behind `fromLsn`) tells of a hole.
   */
  read(stream: WalStreamKey, fromLsn: Lsn, signal: AbortSignal): AsyncIterable<ChangeSet>;
  /** Returns the function that ends it. */
  onAppended(listener: AppendedListener): () => void;
}

/** A map's key for a stream. */
export function streamId(stream: WalStreamKey): string {
  return `${stream.node}/${stream.systemIdentifier}/${stream.timeline}`;
}
