import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { lsn, parseLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { SqlClient } from '../postgres/sql-client.ts';

export interface PositionSample {
  /** Every record that was inserted before the reading ends at or before it. */
  readonly insertLsn: Lsn;
  readonly timeline: number;
  readonly systemIdentifier: string;
  /** By PostgreSQL's clock, read just before `insertLsn`: microseconds since 1970-01-01 UTC. */
  readonly nodeTimeUs: bigint;
  /** By the agent's monotonic clock: clock and position were read at or between the two. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

interface SampleRow {
  node_time_us: string;
  in_recovery: boolean;
  insert_lsn: string | null;
  timeline: number | null;
}

interface ServerRow {
  system_identifier: string;
  block_bytes: number;
  segment_bytes: number;
}

const SERVER_SQL = `
  SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
    current_setting('wal_block_size')::int AS block_bytes,
    pg_size_bytes(current_setting('wal_segment_size'))::int AS segment_bytes`;

/**
 * The clock comes first: whatever was inserted before it shows its time then lies below the position. The server's own, not the agent's: they
 * may be set differently, and WAL has the server's times. Nothing else is asked for: the leader knows the clock only as well as this
 * statement is short.
 */
const SAMPLE_SQL = `
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS node_time_us,
    pg_is_in_recovery() AS in_recovery,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn()::text END AS insert_lsn,
    CASE WHEN NOT pg_is_in_recovery()
      THEN ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline`;

/**
 * A commit of its own flushes everything before it; PostgreSQL itself leaves what an idle transaction wrote for up to 15 s. It waits
 * for no standby: the agent may be the one that would have to confirm it.
 */
const FLUSH_SQL = `
  SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'tidemark', 'flush')`;

const PAGE_HEADER_BYTES = 24n;
const FIRST_PAGE_HEADER_BYTES = 40n;

/**
 * Reads where the next record will be inserted.
 * @param options.flush makes durable what was inserted before the reading; writes one small transaction
 * @throws TidemarkError TM-PG-002 for a server in recovery, which inserts nothing; TM-PG-001, TM-PG-004
 */
export async function samplePosition(
  sql: Pick<SqlClient, 'query'>,
  { flush = false, clock }: { readonly flush?: boolean; readonly clock: Clock },
): Promise<PositionSample> {
  const [server] = await sql.query<ServerRow>("reading the server's identity", SERVER_SQL);
  const askedAtMs = clock.monotonicMs();
  const [row] = await sql.query<SampleRow>('reading the WAL position', SAMPLE_SQL);
  const answeredAtMs = clock.monotonicMs();
  if (row === undefined || server === undefined)
    throw new TidemarkError('TM-PG-004', 'reading the WAL position gave no row');
  if (row.in_recovery || row.insert_lsn === null || row.timeline === null) {
    throw new TidemarkError('TM-PG-002', 'a server in recovery has no WAL insert position', {
      hint: "Ask the agent of the node's primary.",
    });
  }
  if (flush) await sql.query('flushing the WAL', FLUSH_SQL);
  return {
    insertLsn: beforePageHeader(parseLsn(row.insert_lsn), server.block_bytes, server.segment_bytes),
    timeline: row.timeline,
    systemIdentifier: server.system_identifier,
    nodeTimeUs: BigInt(row.node_time_us),
    askedAtMs,
    answeredAtMs,
  };
}

/**
 * PostgreSQL names a position at a page's start by the first byte after the page's header, which is not written before a record follows.
 * This gives the page's start, which a stream reaches without that record.
 */
export function beforePageHeader(position: Lsn, blockBytes: number, segmentBytes: number): Lsn {
  if (position % BigInt(segmentBytes) === FIRST_PAGE_HEADER_BYTES) return lsn(position - FIRST_PAGE_HEADER_BYTES);
  if (position % BigInt(blockBytes) === PAGE_HEADER_BYTES) return lsn(position - PAGE_HEADER_BYTES);
  return position;
}
