import type { Lsn } from '../postgres/lsn.ts';
import type { BrokenTransaction } from '../repository/snapshot-manifest.ts';
import type { SnapshotSummary } from './snapshot.ts';

export interface LeaderView {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  /** host:port */
  readonly address: string;
  readonly term: bigint;
}

export interface CoordinatorStatus {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly address: string;
  readonly reachable: boolean;
  readonly leader: boolean;
  /** Empty while it was never reached. */
  readonly repositoryId: string;
}

/** How far one data centre's copy of a node's WAL has come. */
export interface CopyStatus {
  readonly dataCenter: string;
  readonly durableLsn: Lsn;
  readonly lagBytes: bigint;
  readonly connected: boolean;
}

/** `waiting`: nobody may or can stream at the moment; `broken`: somebody has to do something. */
export const NODE_STATES = ['streaming', 'waiting', 'unreachable', 'broken'] as const;
export type NodeState = (typeof NODE_STATES)[number];

/** `off`: the agent is not told to be a synchronous standby; `unconfirmed`: it is, but commits can return without it. */
export const SYNCHRONOUS_STATES = ['off', 'confirmed', 'unconfirmed'] as const;
export type SynchronousState = (typeof SYNCHRONOUS_STATES)[number];

export interface NodeStatus {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly instance: string;
  readonly agentAddress: string;
  readonly state: NodeState;
  /** In words; empty if there is none. */
  readonly problem: string;
  readonly flushLsn: Lsn;
  readonly acknowledgedLsn: Lsn;
  readonly lagBytes: bigint;
  readonly lagMs: number;
  readonly copies: readonly CopyStatus[];
  /** Empty if there is none. */
  readonly lastBackupId: string;
  readonly synchronous: SynchronousState;
  /** Why it is unconfirmed, in words; else empty. */
  readonly synchronousProblem: string;
}

/** A transaction that can never be whole, and when the leader found it: microseconds since 1970-01-01 UTC. */
export interface BrokenReport extends BrokenTransaction {
  readonly foundAtUs: bigint;
}

/** A branch that has been prepared for longer than `transactions.prepared_warning`. */
export interface LongPrepared {
  readonly node: string;
  readonly gid: string;
  readonly xid: number;
  /** By the leader's clock, microseconds since 1970-01-01 UTC. */
  readonly preparedAtUs: bigint;
}

/** What is wrong with distributed transactions. */
export interface TransactionProblems {
  /** Those found within the last day, the newest first. */
  readonly broken: readonly BrokenReport[];
  /** The oldest first. */
  readonly longPrepared: readonly LongPrepared[];
}

export const NO_TRANSACTION_PROBLEMS: TransactionProblems = { broken: [], longPrepared: [] };

/** `degraded`: everything acknowledged is safe, something needs a look. `down`: nothing is being backed up. */
export const CLUSTER_STATES = ['ok', 'degraded', 'down'] as const;
export type ClusterState = (typeof CLUSTER_STATES)[number];

export interface ClusterStatus {
  readonly cluster: string;
  readonly state: ClusterState;
  readonly problems: readonly string[];
  readonly leader: LeaderView | null;
  readonly coordinators: readonly CoordinatorStatus[];
  readonly nodes: readonly NodeStatus[];
  /** The last complete one. */
  readonly lastSnapshot: SnapshotSummary | null;
  readonly copiesRequired: number;
  /** The first snapshot that can be restored, and the last time: any time between them can be, too. Null if there is none. */
  readonly recoverable: { readonly fromUs: bigint; readonly toUs: bigint } | null;
  readonly coordination: 'etcd' | 'embedded';
  readonly coordinationReachable: boolean;
  readonly transactions: TransactionProblems;
}
