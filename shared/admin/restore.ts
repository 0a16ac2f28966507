import type { Lsn } from '../postgres/lsn.ts';
import type { Progress } from './progress.ts';
import type { DecisionSummary, SnapshotSummary } from './snapshot.ts';

/** Where one node is to be restored. */
export interface RestoreTargetSpec {
  readonly node: string;
  /** host:port of the agent on the target host. */
  readonly agentAddress: string;
  /** The new data directory, absolute. */
  readonly directory: string;
  /** 0: as in the backed-up configuration. */
  readonly port: number;
  /** OID of a tablespace to its new directory. */
  readonly tablespaceDirectories: Readonly<Record<string, string>>;
}

export interface RestoreRequest {
  /** Or `latest`. Without meaning if a time is given. */
  readonly snapshotId: string;
  /** The state at this time, by the leader's clock: microseconds since 1970-01-01 UTC. */
  readonly timeUs?: bigint;
  readonly targets: readonly RestoreTargetSpec[];
  /** Stop when all nodes stand at the cut; nothing is promoted. */
  readonly pause: boolean;
  /** SQL that must give one true value; `database: SELECT …` names another database than postgres. */
  readonly assertions: readonly string[];
  /** For the opened servers. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface NodePlanSummary {
  readonly node: string;
  readonly backupId: string;
  readonly walFromLsn: Lsn;
  readonly walEndLsn: Lsn;
  readonly targetLsn: Lsn;
  readonly timeline: number;
  readonly backupBytes: bigint;
  readonly walBytes: bigint;
  readonly agentAddress: string;
  readonly directory: string;
  readonly inDoubt: readonly DecisionSummary[];
}

/** What a restore would do; `--dry-run` shows it. */
export interface RestorePlanSummary {
  readonly snapshot: SnapshotSummary;
  readonly nodes: readonly NodePlanSummary[];
}

export interface RestoredNode {
  readonly node: string;
  readonly agentAddress: string;
  readonly directory: string;
  readonly port: number;
  readonly inDoubtCommitted: number;
  readonly inDoubtRolledBack: number;
}

export interface RestoreReport {
  readonly restoreId: string;
  readonly snapshot: SnapshotSummary;
  readonly nodes: readonly RestoredNode[];
  readonly durationMs: number;
  readonly paused: boolean;
}

export type RestoreEvent =
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** The last one. */
  | { readonly kind: 'report'; readonly report: RestoreReport };
