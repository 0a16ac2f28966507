import type { Lsn } from '../postgres/lsn.ts';

/**
 * What a WAL record says about a transaction. `prepare` opens a branch of a distributed transaction; `commit-prepared` and
 * `rollback-prepared` end it. Subtransactions' commits have no record of their own; they end with their parent.
 * `decision-row`: the transaction wrote a branch's GID into the table whose rows decide (Citus's pg_dist_transaction): if and only if it
 * commits, that branch's transaction is committed. `restart`: the server started; what was running and not prepared never ended.
 * `beginning`: the WAL was read from here on without what lies before, as where a stream begins or goes on behind a gap. Of a record that crosses
 * into here nothing is told, and what is open here is seeded next; it stays so when the gap is filled later.
 */
export type TransactionEventKind =
  'commit' | 'abort' | 'prepare' | 'commit-prepared' | 'rollback-prepared' | 'decision-row' | 'restart' | 'beginning';

/** The kinds that a transaction's own record has. */
export type TransactionRecordKind = Exclude<TransactionEventKind, 'decision-row' | 'restart' | 'beginning'>;

/** Whether the event ends a transaction, also one that was prepared. */
export function endsTransaction({ kind }: Pick<TransactionEvent, 'kind'>): boolean {
  return kind === 'commit' || kind === 'abort' || kind === 'commit-prepared' || kind === 'rollback-prepared';
}

/** One transaction event, read from one WAL record. */
export interface TransactionEvent {
  readonly kind: TransactionEventKind;
  /** Start of the record. */
  readonly lsn: Lsn;
  /** One past the record's last byte, before alignment padding. */
  readonly endLsn: Lsn;
  /** Start of the record before it (`xl_prev`): the recovery target that includes everything but this event. */
  readonly previousLsn: Lsn;
  /**
   * The transaction that it is about: for commit-prepared and rollback-prepared the prepared one, not the record's own; for decision-row the
   * one whose commit decides. 0 for restart and beginning.
   */
  readonly xid: number;
  /** Database OID where the record gives it (always for prepare and decision-row), else 0. */
  readonly databaseOid: number;
  /** For prepare and decision-row always; for the ends of a prepared transaction only with wal_level=logical. */
  readonly gid?: string;
  /** When it happened by the node's clock: microseconds since 1970-01-01 UTC; 0 for decision-row and restart. */
  readonly timeUs: bigint;
  /** Committed subtransactions, as the record names them. */
  readonly subxids: readonly number[];
  /** No record tells of it: a branch that was open in pg_prepared_xacts when the stream began, or the beginning itself; lsn is where it began. */
  readonly seeded?: boolean;
}
