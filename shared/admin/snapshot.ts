import type { Lsn } from '../postgres/lsn.ts';
import type { Decision, Snapshot, SnapshotClass } from '../repository/snapshot-manifest.ts';

export interface CutPosition {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** START of the last record included. */
  readonly targetLsn: Lsn;
}

export interface DecisionSummary {
  readonly node: string;
  readonly gid: string;
  readonly xid: number;
  readonly databaseOid: number;
  readonly prepareLsn: Lsn;
  readonly decision: Decision;
}

/** A snapshot as lists show it: its manifest's main part, and what is known of its copies. */
export interface SnapshotSummary {
  readonly id: string;
  /** Microseconds since 1970-01-01 UTC. */
  readonly timeUs: bigint;
  readonly label: string;
  readonly class: SnapshotClass;
  /** Of a bounded one that was computed for a time: of this moment, shortly before it, the state would be causal. */
  readonly causalBeforeUs?: bigint;
  /** Every node answered. */
  readonly complete: boolean;
  readonly cut: readonly CutPosition[];
  readonly inDoubt: readonly DecisionSummary[];
  /** That hold it and its WAL. */
  readonly dataCenters: readonly string[];
  /** A base backup lies before the cut of every node. */
  readonly restorable: boolean;
}

export function summarizeSnapshot(
  snapshot: Snapshot,
  { dataCenters, restorable }: Pick<SnapshotSummary, 'dataCenters' | 'restorable'>,
): SnapshotSummary {
  return {
    id: snapshot.id,
    timeUs: snapshot.timeUs,
    label: snapshot.label,
    class: snapshot.class,
    ...(snapshot.causalBeforeUs === undefined ? {} : { causalBeforeUs: snapshot.causalBeforeUs }),
    complete: snapshot.complete,
    cut: snapshot.nodes.map(({ node, systemIdentifier, timeline, targetLsn }) => ({
      node,
      systemIdentifier,
      timeline,
      targetLsn,
    })),
    inDoubt: snapshot.inDoubt.map(({ node, gid, xid, databaseOid, prepareLsn, decision }) => ({
      node,
      gid,
      xid,
      databaseOid,
      prepareLsn,
      decision,
    })),
    dataCenters,
    restorable,
  };
}
