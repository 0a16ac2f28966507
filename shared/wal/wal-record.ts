import type { Lsn } from '../postgres/lsn.ts';
import type { RecordFragments } from './record-fragments.ts';

/** Resource managers whose records mean something here; their numbers are the same in PostgreSQL 13 to 18. */
export const RESOURCE_MANAGER = {
  xlog: 0,
  transaction: 1,
  storage: 2,
  database: 4,
  standby: 8,
  heap: 10,
} as const;

/** Numbers of resource managers: the built-in ones are at most this, extensions have the range from 128 on. */
export const RESOURCE_MANAGER_BUILT_IN_MAX = 21;
export const RESOURCE_MANAGER_CUSTOM_MIN = 128;

/** Kinds of records of the resource manager `xlog` (info without its low four bits). */
export const XLOG_RECORD = {
  /** Written when nothing runs: at an orderly stop, and after the recovery from a crash. */
  shutdownCheckpoint: 0x00,
  switch: 0x40,
  /** A server was promoted. */
  endOfRecovery: 0x90,
  overwriteContrecord: 0xd0,
} as const;

export const RECORD_HEADER_BYTES = 24;
/** PostgreSQL refuses to write a longer one; src/include/access/xlogrecord.h, XLogRecordMaxSize. */
export const RECORD_BYTES_MAX = 1024 * 1024 * 1024;

/** One WAL record; see src/include/access/xlogrecord.h. */
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
  /**
   * Its blocks and the extent of its main data, read when asked for. Call it only within `onRecord`.
   * @throws TidemarkError TM-WAL-002 if they cannot be read
   */
  fragments(): RecordFragments;
}

/** `xl_prev` of the record header at `at`. */
export function previousOf(view: DataView, at: number): Lsn {
  return view.getBigUint64(at + 8, true) as Lsn;
}
