interface MetricKind {
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  /** Their values must be few: names from the configuration, codes from the table of errors. */
  readonly labels: readonly string[];
  /** Of a histogram. */
  readonly buckets?: readonly number[];
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** Every metric of both processes. A metric appears in the output once it has a value. */
export const METRICS = {
  tidemark_build_info: { type: 'gauge', help: 'Always 1; the labels say what runs.', labels: ['version', 'process'] },
  tidemark_errors_total: { type: 'counter', help: 'Errors that were met, by code.', labels: ['code'] },

  tidemark_leader: { type: 'gauge', help: '1 on the coordinator that leads, else 0.', labels: [] },
  tidemark_term: { type: 'gauge', help: 'The highest term seen.', labels: [] },
  tidemark_leader_changes_total: { type: 'counter', help: 'Changes of leader that this process saw.', labels: [] },
  tidemark_coordination_reachable: {
    type: 'gauge',
    help: '1 while the coordination service (etcd) answers, else 0.',
    labels: [],
  },

  tidemark_node_streaming: {
    type: 'gauge',
    help: '1 while WAL of the node is being received, else 0.',
    labels: ['node'],
  },
  tidemark_node_wal_lost_bytes: {
    type: 'gauge',
    help: 'WAL that PostgreSQL no longer had when it was asked for, and that no copy has brought back: nothing across it can be restored.',
    labels: ['node'],
  },
  tidemark_node_flush_lsn_bytes: {
    type: 'gauge',
    help: "PostgreSQL's flush position, as a number of bytes.",
    labels: ['node'],
  },
  tidemark_node_acknowledged_lsn_bytes: {
    type: 'gauge',
    help: 'The position that is durable on the required copies, as a number of bytes.',
    labels: ['node'],
  },
  tidemark_node_lag_bytes: {
    type: 'gauge',
    help: 'WAL that PostgreSQL has flushed and that is not yet durable on the required copies.',
    labels: ['node'],
  },
  tidemark_node_lag_seconds: {
    type: 'gauge',
    help: 'For how long the oldest WAL has waited to be durable on the required copies.',
    labels: ['node'],
  },
  tidemark_node_synchronous: {
    type: 'gauge',
    help: 'Of a node in synchronous mode: 1 while no setting lets a commit return before it is acknowledged, else 0.',
    labels: ['node'],
  },
  tidemark_copy_lag_bytes: {
    type: 'gauge',
    help: 'WAL that PostgreSQL has flushed and that is not yet durable in the data centre.',
    labels: ['node', 'data_center'],
  },
  tidemark_copy_lag_seconds: {
    type: 'gauge',
    help: 'For how long the oldest WAL has waited to be durable in the data centre.',
    labels: ['node', 'data_center'],
  },
  tidemark_wal_received_bytes_total: { type: 'counter', help: 'WAL received, uncompressed.', labels: ['node'] },
  tidemark_wal_stored_bytes_total: {
    type: 'counter',
    help: 'WAL written to the journal, compressed.',
    labels: ['node'],
  },
  tidemark_journal_sync_seconds: {
    type: 'histogram',
    help: 'How long an append to the journal took to be durable.',
    labels: [],
    buckets: SECONDS,
  },
  tidemark_repository_writable: {
    type: 'gauge',
    help: '0 while the repository cannot be written, else 1.',
    labels: [],
  },

  tidemark_recoverable_from_timestamp_seconds: {
    type: 'gauge',
    help: 'The first time to which the leader can restore the cluster, Unix time; 0 if there is none, or elsewhere.',
    labels: [],
  },
  tidemark_recoverable_until_timestamp_seconds: {
    type: 'gauge',
    help: 'The last time to which the leader can restore the cluster, Unix time; 0 if there is none, or elsewhere.',
    labels: [],
  },
  tidemark_last_complete_snapshot_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last complete snapshot was taken, Unix time.',
    labels: [],
  },
  tidemark_last_complete_snapshot_age_seconds: {
    type: 'gauge',
    help: 'Age of the last complete snapshot.',
    labels: [],
  },
  tidemark_snapshots_total: {
    type: 'counter',
    help: 'Snapshots by result: complete, incomplete, failed.',
    labels: ['result'],
  },
  tidemark_snapshot_classes_total: {
    type: 'counter',
    help: 'Complete snapshots by class: causal, bounded.',
    labels: ['class'],
  },
  tidemark_broken_transactions_total: {
    type: 'counter',
    help: 'Distributed transactions found that can never be whole, by kind: torn, branch-lost, prepare-missing, decision-lost, unknown.',
    labels: ['kind'],
  },
  tidemark_prepared_transactions: {
    type: 'gauge',
    help: 'Prepared transactions that are not finished, as of the last snapshot.',
    labels: ['node'],
  },
  tidemark_long_prepared_transactions: {
    type: 'gauge',
    help: 'Those of them that have been prepared for longer than transactions.prepared_warning.',
    labels: ['node'],
  },
  tidemark_oldest_prepared_transaction_seconds: {
    type: 'gauge',
    help: 'For how long the oldest of them has been prepared; 0 if there is none.',
    labels: ['node'],
  },
  tidemark_transaction_branches_held: {
    type: 'gauge',
    help: 'Branches that the leader has in memory: prepared ones, and those finished since the last snapshot.',
    labels: ['node'],
  },
  tidemark_snapshot_duration_seconds: {
    type: 'histogram',
    help: 'From the first reading of positions to the durable snapshot.',
    labels: [],
    buckets: SECONDS,
  },

  tidemark_backups_total: {
    type: 'counter',
    help: 'Base backups by result: done, failed.',
    labels: ['node', 'result'],
  },
  tidemark_backup_duration_seconds: { type: 'gauge', help: 'Of the last base backup.', labels: ['node'] },
  tidemark_backup_bytes: {
    type: 'gauge',
    help: "Size of the database's files in the last base backup.",
    labels: ['node'],
  },
  tidemark_backup_stored_bytes: { type: 'gauge', help: 'Size of the last base backup as stored.', labels: ['node'] },
  tidemark_last_backup_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last base backup was finished, Unix time.',
    labels: ['node'],
  },
  tidemark_restores_total: { type: 'counter', help: 'Restores by result: done, failed.', labels: ['result'] },

  tidemark_agent_postgres_reachable: {
    type: 'gauge',
    help: '1 while PostgreSQL answers the agent, else 0.',
    labels: [],
  },
  tidemark_agent_streaming: { type: 'gauge', help: '1 while a leader pulls WAL, else 0.', labels: [] },
  tidemark_agent_wal_sent_bytes_total: { type: 'counter', help: 'WAL sent to leaders, uncompressed.', labels: [] },
  tidemark_agent_wal_sent_compressed_bytes_total: {
    type: 'counter',
    help: 'WAL sent to leaders, compressed.',
    labels: [],
  },
  tidemark_agent_flush_lsn_bytes: {
    type: 'gauge',
    help: "PostgreSQL's flush position as the stream tells it, as a number of bytes.",
    labels: [],
  },
  tidemark_agent_sent_lsn_bytes: {
    type: 'gauge',
    help: 'End of the WAL sent to the leader, as a number of bytes.',
    labels: [],
  },
  tidemark_agent_acknowledged_lsn_bytes: {
    type: 'gauge',
    help: 'What the leader acknowledged as durable, as a number of bytes.',
    labels: [],
  },
  tidemark_agent_synchronous: {
    type: 'gauge',
    help: 'In synchronous mode: 1 while no setting lets a commit return before it is acknowledged, else 0.',
    labels: [],
  },
  tidemark_agent_slot_retained_bytes: { type: 'gauge', help: 'WAL that the slot makes PostgreSQL keep.', labels: [] },
} as const satisfies Record<`tidemark_${string}`, MetricKind>;

export type MetricName = keyof typeof METRICS;
export type MetricOf<T extends MetricKind['type']> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];

type LabelNames<N extends MetricName> = (typeof METRICS)[N]['labels'][number];

/** The labels that a metric must be given, each with a text; `{}` where it has none. */
export type LabelsOf<N extends MetricName> = [LabelNames<N>] extends [never]
  ? Readonly<Record<string, never>>
  : Readonly<Record<LabelNames<N>, string>>;
