import type { Lsn } from '../postgres/lsn.ts';

/** A branch's GID, written by a transaction whose commit decides over the branch. */
export interface DecisionRow {
  readonly gid: string;
  /** Of the database that the row lies in. */
  readonly databaseOid: number;
  /** Start of the record that wrote it. */
  readonly lsn: Lsn;
}

/** Rows of a transaction that has not ended, as far as was read. */
export interface OpenDecision {
  readonly node: string;
  readonly xid: number;
  readonly rows: readonly DecisionRow[];
}

/**
 * The commit, on the node where a distributed transaction was begun, of the transaction that wrote the GIDs of its branches. A
 * distributed transaction has one at most. In real time it follows every PREPARE and precedes every COMMIT PREPARED of it.
 */
export interface Decision extends OpenDecision {
  /** Start of the commit's record. */
  readonly lsn: Lsn;
  /** Start of the record before it: the recovery target that leaves the decision out. */
  readonly previousLsn: Lsn;
  /** By the node's clock, microseconds since 1970-01-01 UTC. */
  readonly timeUs: bigint;
  /** The newest barrier known to lie wholly before it; 0 if none. See {@link Branch}. */
  readonly madeAfterBarrier: number;
  /** The oldest barrier known to lie wholly after it; infinite if none. */
  readonly madeBeforeBarrier: number;
}
