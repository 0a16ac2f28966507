import type { Lsn } from '../postgres/lsn.ts';

/** How a branch ended. */
export interface BranchEnd {
  readonly kind: 'commit' | 'rollback';
  /** Start of the COMMIT PREPARED or ROLLBACK PREPARED record. */
  readonly lsn: Lsn;
  /** Start of the record before it: the recovery target that leaves the end out. */
  readonly previousLsn: Lsn;
  /** By the node's clock, microseconds since 1970-01-01 UTC. */
  readonly timeUs: bigint;
}

/**
 * One branch of a distributed transaction: what a PREPARE opened on one node. Its identity is (node, timeline, xid, PREPARE's
 * LSN); a GID may be used again once it is free.
 *
 * Barriers order branches of different nodes without clocks. Barrier k is a completed double collect: what lies before its
 * first vector happened before what lies at or after its second vector, on whatever nodes.
 */
export interface Branch {
  readonly node: string;
  readonly timeline: number;
  readonly xid: number;
  readonly gid: string;
  readonly databaseOid: number;
  /** Start of the PREPARE record; for a seeded branch some position at or after it. */
  readonly prepareLsn: Lsn;
  /** By the node's clock, microseconds since 1970-01-01 UTC. */
  readonly preparedAtUs: bigint;
  /** Read from pg_prepared_xacts or from an earlier snapshot: prepared before everything that was read of its node. */
  readonly seeded: boolean;
  /** It was in doubt at the snapshot that the history began at: a decision over it that lay before is known, and its rows are. */
  readonly carried?: boolean;
  /** The newest barrier known to lie wholly before the PREPARE; 0 if none. */
  readonly preparedAfterBarrier: number;
  /** The oldest barrier known to lie wholly after the branch's (or, with `decidedCommit`, its transaction's) end; infinite if none. */
  readonly endedBeforeBarrier: number;
  /** Null while it is prepared, as far as was read. */
  readonly end: BranchEnd | null;
  /** It lay on a part of a timeline that the node has left: it never happened in the history that is restored. */
  readonly lost: boolean;
  /** An earlier snapshot found its transaction committed on another node. */
  readonly decidedCommit: boolean;
}

/** A COMMIT PREPARED whose PREPARE was never seen. */
export interface OrphanCommit {
  readonly node: string;
  readonly xid: number;
  /** Where the record gives it (wal_level=logical). */
  readonly gid: string | null;
  readonly lsn: Lsn;
}
