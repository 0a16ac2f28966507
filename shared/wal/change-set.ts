import type { Lsn } from '../postgres/lsn.ts';
import type { ClockReading } from './clock-reading.ts';
import type { TransactionEvent } from './transaction-event.ts';

/** Names one WAL history: a node's, of one PostgreSQL system, on one timeline. */
export interface WalStreamKey {
  readonly node: string;
  /** In decimal. */
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** At most this many bytes of WAL lie in one frame. */
export const FRAME_CONTENT_BYTES_MAX = 1024 * 1024;

/**
 * A contiguous run of one node's WAL with what was parsed from it. It never crosses a segment's boundary, so a segment's
 * frames laid end to end decompress to exactly that segment.
 */
export interface ChangeSet {
  readonly timeline: number;
  /** First byte. */
  readonly startLsn: Lsn;
  /** One past the last byte; `endLsn - startLsn` is at most {@link FRAME_CONTENT_BYTES_MAX}. */
  readonly endLsn: Lsn;
  /** Start of the first record that does not end at or before `endLsn`; parsing resumes there. At most `endLsn` unless a page header or padding lies between. */
  readonly nextRecordLsn: Lsn;
  /** Start of the last record that ends at or before `endLsn`; NO_LSN if none is known since the stream began. */
  readonly lastRecordLsn: Lsn;
  /** One independent zstd frame. Whoever made it has decompressed it again and found the run's bytes in it. */
  readonly frame: Buffer;
  /** Of the frame, taken by whoever made it: what is stored is what was found to be right. */
  readonly frameCrc32: number;
  /** SHA-256 of the uncompressed bytes, 32 bytes. */
  readonly contentSha256: Buffer;
  /** Of the records that end in (startLsn, endLsn], in order. */
  readonly events: readonly TransactionEvent[];
  /**
   * The blocks that the same records change, in their compact form; empty if they were not gathered (that none changed is not
   * empty). More than those that changed may be named, never fewer.
   */
  readonly changedBlocks: Buffer;
  /**
   * Where the node's clock stood, as the leader measured it while this WAL came in: none or one, or several where change sets were
   * merged; in order. Not part of what makes two change sets the same.
   */
  readonly clocks: readonly ClockReading[];
}
