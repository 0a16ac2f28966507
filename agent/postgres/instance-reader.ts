import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { NO_LSN, parseLsn } from '../../shared/postgres/lsn.ts';
import { ASYNCHRONOUS } from '../../shared/postgres/synchronous-mode.ts';
import type { SqlClient } from './sql-client.ts';
import type { SynchronousModeReader } from './synchronous-mode.ts';

/** What of an Instance the agent's own configuration and state say. */
export interface InstanceIdentity {
  readonly node: string;
  readonly instance: string;
  readonly slot: string;
  readonly dataDirectory: string | null;
  /** Where coordinators reach the agent; known once it listens. */
  readonly advertisedAddress: () => string;
  readonly highestTerm: () => bigint;
}

interface InstanceRow {
  system_identifier: string;
  timeline: number;
  in_recovery: boolean;
  server_version_num: number;
  wal_segment_bytes: number;
  data_directory: string | null;
  slot_restart_lsn: string | null;
  slot_status: string | null;
  flush_lsn: string | null;
  data_checksums: boolean;
  wal_level: string;
  max_wal_senders: number;
  max_replication_slots: number;
}

// data_directory is shown to superusers and pg_read_all_settings only; pg_settings leaves its row out for others.
const INSTANCE_SQL = `
  SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
    CASE WHEN pg_is_in_recovery()
      THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
      ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
    END AS timeline,
    pg_is_in_recovery() AS in_recovery,
    current_setting('server_version_num')::int AS server_version_num,
    (SELECT setting::int FROM pg_settings WHERE name = 'wal_segment_size') AS wal_segment_bytes,
    (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
    (SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1) AS slot_restart_lsn,
    (SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1) AS slot_status,
    CASE WHEN pg_is_in_recovery()
      THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text
      ELSE pg_current_wal_flush_lsn()::text
    END AS flush_lsn,
    current_setting('data_checksums')::bool AS data_checksums,
    current_setting('wal_level') AS wal_level,
    current_setting('max_wal_senders')::int AS max_wal_senders,
    current_setting('max_replication_slots')::int AS max_replication_slots`;

/** Reads what the agent's PostgreSQL is, and remembers it for the times when it does not answer. */
export class InstanceReader {
  readonly #sql: SqlClient;
  readonly #identity: InstanceIdentity;
  readonly #synchronous: SynchronousModeReader;
  #last: Instance;

  constructor(sql: SqlClient, identity: InstanceIdentity, synchronous: SynchronousModeReader) {
    this.#sql = sql;
    this.#synchronous = synchronous;
    this.#identity = identity;
    this.#last = {
      node: identity.node,
      instance: identity.instance,
      systemIdentifier: '',
      timeline: 0,
      inRecovery: false,
      serverVersionNum: 0,
      walSegmentBytes: 0,
      dataDirectory: identity.dataDirectory ?? '',
      slot: identity.slot,
      slotRestartLsn: NO_LSN,
      flushLsn: NO_LSN,
      dataChecksums: false,
      advertisedAddress: '',
      highestTerm: 0n,
      postgresReachable: false,
      problem: 'PostgreSQL was not reached yet',
      synchronous: ASYNCHRONOUS,
    };
  }

  /** Never fails: while PostgreSQL does not answer, the last thing known with `postgresReachable` false and the problem. */
  async describe(): Promise<Instance> {
    try {
      return await this.read();
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return {
        ...this.#last,
        advertisedAddress: this.#identity.advertisedAddress(),
        highestTerm: this.#identity.highestTerm(),
        postgresReachable: false,
        problem,
      };
    }
  }

  /** @throws TidemarkError TM-PG-001, TM-PG-002, TM-PG-004 */
  async read(): Promise<Instance> {
    const [row] = await this.#sql.query<InstanceRow>('reading the instance', INSTANCE_SQL, [this.#identity.slot]);
    if (row === undefined) throw new TidemarkError('TM-PG-004', 'reading the instance gave no row');
    this.#last = {
      node: this.#identity.node,
      instance: this.#identity.instance,
      systemIdentifier: row.system_identifier,
      timeline: row.timeline,
      inRecovery: row.in_recovery,
      serverVersionNum: row.server_version_num,
      walSegmentBytes: row.wal_segment_bytes,
      dataDirectory: this.#identity.dataDirectory ?? row.data_directory ?? '',
      slot: this.#identity.slot,
      slotRestartLsn: row.slot_restart_lsn === null ? NO_LSN : parseLsn(row.slot_restart_lsn),
      flushLsn: row.flush_lsn === null ? NO_LSN : parseLsn(row.flush_lsn),
      dataChecksums: row.data_checksums,
      advertisedAddress: this.#identity.advertisedAddress(),
      highestTerm: this.#identity.highestTerm(),
      postgresReachable: true,
      problem: problemOf(row, this.#identity.slot),
      synchronous: await this.#synchronous.read(),
    };
    return this.#last;
  }
}

function problemOf(row: InstanceRow, slot: string): string {
  if (row.wal_level === 'minimal') return 'wal_level is minimal: set it to replica and restart PostgreSQL';
  if (row.max_wal_senders === 0) return 'max_wal_senders is 0: set it to 10 and restart PostgreSQL';
  if (row.max_replication_slots === 0) return 'max_replication_slots is 0: set it to 10 and restart PostgreSQL';
  if (row.slot_status === 'lost')
    return `the replication slot ${slot} has lost WAL; it is made anew when WAL is pulled`;
  return '';
}
