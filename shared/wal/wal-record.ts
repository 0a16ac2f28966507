import type { Lsn } from '../postgres/lsn.ts';

/** Resource managers whose records mean something here; their numbers are the same in PostgreSQL 13 to 18. */
export const RESOURCE_MANAGER = {
  xlog: 0,
  transaction: 1,
  storage: 2,
  database: 4,
  standby: 8,
} as const;

/** One WAL record's header, as read; see src/include/access/xlogrecord.h. */
export interface WalRecord {
  /** Where the record starts. */
  readonly lsn: Lsn;
  /** One past its last byte, before alignment padding. */
  readonly endLsn: Lsn;
  /** Start of the record before it (`xl_prev`). */
  readonly previousLsn: Lsn;
  /** The transaction that wrote it, 0 if none. */
  readonly xid: number;
  readonly resourceManager: number;
  readonly info: number;
  /** With its header, without page headers in between. */
  readonly totalLength: number;
}
