import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import type { SqlClient } from '../postgres/sql-client.ts';

interface PreparedRow {
  xid: string;
  gid: string;
  database_oid: string;
  prepared_us: string;
}

const PREPARED_SQL = `
  SELECT p.transaction::text AS xid, p.gid, d.oid::text AS database_oid,
    (extract(epoch FROM p.prepared) * 1000000)::bigint::text AS prepared_us
  FROM pg_prepared_xacts p JOIN pg_database d ON d.datname = p.database
  ORDER BY p.prepared, p.gid`;

/**
 * What is known where a stream begins, as events at that place: that it begins there, and the transactions that are prepared now: the PREPARE of some of them lies before it, and the
 * record that ends one does not say its GID. Those whose PREPARE comes in the stream too are there twice, with one xid.
 */
export async function readBeginning(
  sql: SqlClient,
  streamStartLsn: Lsn,
  clock: Pick<Clock, 'nowMs'>,
): Promise<TransactionEvent[]> {
  const rows = await sql.query<PreparedRow>('reading pg_prepared_xacts', PREPARED_SQL);
  const position = { lsn: streamStartLsn, endLsn: streamStartLsn, previousLsn: streamStartLsn };
  const common = { ...position, subxids: [], seeded: true } as const;
  return [
    { ...common, kind: 'beginning', xid: 0, databaseOid: 0, timeUs: BigInt(Math.round(clock.nowMs())) * 1000n },
    ...rows.map((row): TransactionEvent => ({
      ...common,
      kind: 'prepare',
      xid: Number(row.xid),
      databaseOid: Number(row.database_oid),
      gid: row.gid,
      timeUs: BigInt(row.prepared_us),
    })),
  ];
}
