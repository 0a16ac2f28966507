import type { Client } from 'pg';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { sqlState } from '../postgres/postgres-error.ts';
import { type Lsn, parseLsn } from '../../shared/postgres/lsn.ts';

/** What the server says when the backup starts. */
export interface BackupStart {
  readonly startLsn: Lsn;
  readonly checkpointLsn: Lsn;
  readonly timeline: number;
  readonly inRecovery: boolean;
  readonly serverVersionNum: number;
  readonly dataDirectory: string;
  readonly dataChecksums: boolean;
  readonly pageBytes: number;
  /** Pages in each full file of a relation. */
  readonly segmentBlocks: number;
  /** What a restore must not undercut, and what describes the server. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface BackupStop {
  readonly stopLsn: Lsn;
  readonly backupLabel: Buffer;
  /** Empty if there are no tablespaces. */
  readonly tablespaceMap: Buffer;
}

const KEPT_SETTINGS = [
  'max_connections',
  'max_prepared_transactions',
  'max_worker_processes',
  'max_wal_senders',
  'max_locks_per_transaction',
  'track_commit_timestamp',
  'wal_level',
  'wal_segment_size',
  'server_encoding',
  'shared_preload_libraries',
  'port',
];

/**
 * PostgreSQL's backup mode, which lasts as long as the connection that began it: when that is lost, the server ends the mode,
 * and the backup is worth nothing.
 */
export class BackupSession {
  readonly #client: Client;
  #failure: Error | null = null;
  #start: BackupStart | null = null;

  /** @param client connected, used for nothing else */
  constructor(client: Client) {
    this.#client = client;
    client.on('error', (error) => {
      this.#failure = new TidemarkError(
        'TM-BACKUP-001',
        `the connection that holds the backup was lost: ${error.message}`,
        {
          cause: error,
        },
      );
    });
  }

  /** @throws TidemarkError TM-BACKUP-001 */
  async start(label: string, fastCheckpoint: boolean): Promise<BackupStart> {
    const versionNum = Number(await this.#value("SELECT current_setting('server_version_num')"));
    // A backup lasts long; nothing may end its connection but the backup itself.
    await this.#query('SET statement_timeout = 0');
    await this.#query('SET lock_timeout = 0');
    if (versionNum >= 140000) await this.#query('SET idle_session_timeout = 0');
    const call = versionNum >= 150000 ? 'pg_backup_start($1, $2)' : 'pg_start_backup($1, $2, false)';
    const startLsn = parseLsn(await this.#value(`SELECT ${call}::text`, [label, fastCheckpoint]));
    const [row] = await this.#query(
      `SELECT checkpoint_lsn::text AS checkpoint, timeline_id::text AS timeline, pg_is_in_recovery()::text AS recovery,
              current_setting('data_directory') AS directory, current_setting('data_checksums') AS checksums,
              current_setting('block_size') AS page, (SELECT setting FROM pg_settings WHERE name = 'segment_size') AS segment
         FROM pg_control_checkpoint()`,
    );
    const settings = await this.#query('SELECT name, setting FROM pg_settings WHERE name = ANY($1) ORDER BY name', [
      KEPT_SETTINGS,
    ]);
    const text = (key: string): string => row?.[key] ?? '';
    this.#start = {
      startLsn,
      checkpointLsn: parseLsn(text('checkpoint')),
      timeline: Number(text('timeline')),
      inRecovery: text('recovery') === 'true',
      serverVersionNum: versionNum,
      dataDirectory: text('directory'),
      dataChecksums: text('checksums') === 'on',
      pageBytes: Number(text('page')),
      segmentBlocks: Number(text('segment')),
      settings: Object.fromEntries(settings.map(({ name, setting }) => [name ?? '', setting ?? ''])),
    };
    return this.#start;
  }

  /** A position that no page read so far can lie behind. */
  async currentLsn(): Promise<Lsn> {
    const sql =
      this.#start?.inRecovery === true
        ? 'SELECT pg_last_wal_replay_lsn()::text'
        : 'SELECT pg_current_wal_insert_lsn()::text';
    return parseLsn(await this.#value(sql));
  }

  /**
   * Ends the backup without waiting for PostgreSQL's archiver: the WAL reaches the repositories another way.
   * @throws TidemarkError TM-BACKUP-001 also if a standby was promoted meanwhile
   */
  async stop(): Promise<BackupStop> {
    const start = this.#start;
    const call = (start?.serverVersionNum ?? 0) >= 150000 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
    const [row] = await this.#query(`SELECT lsn::text AS lsn, labelfile, spcmapfile FROM ${call}`);
    const stillInRecovery = await this.#value('SELECT pg_is_in_recovery()::text');
    if ((stillInRecovery === 'true') !== start?.inRecovery) {
      throw new TidemarkError('TM-BACKUP-001', 'the standby was promoted while its base backup was taken');
    }
    return {
      stopLsn: parseLsn(row?.['lsn'] ?? ''),
      backupLabel: Buffer.from(row?.['labelfile'] ?? ''),
      tablespaceMap: Buffer.from(row?.['spcmapfile'] ?? ''),
    };
  }

  /** Throws if the server has left the backup mode. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Ends the connection, and with it a backup that was not stopped. */
  async close(): Promise<void> {
    await this.#client.end().catch(() => {});
  }

  async #value(sql: string, values: unknown[] = []): Promise<string> {
    const [row] = await this.#query(sql, values);
    return Object.values(row ?? {})[0] ?? '';
  }

  async #query(sql: string, values: unknown[] = []): Promise<Record<string, string | null>[]> {
    this.check();
    try {
      return (await this.#client.query<Record<string, string | null>>(sql, values)).rows;
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new TidemarkError('TM-BACKUP-001', `PostgreSQL refused a step of the base backup: ${message}`, {
        ...(sqlState(cause) === '42501' ? { hint: "Grant the agent's role what the README names." } : {}),
        cause,
      });
    }
  }
}
