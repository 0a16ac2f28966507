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
 * The transactions that are prepared now, as events at the place where a stream begins: the PREPARE of some of them lies before it, and the
 * record that ends one does not say its GID. Those whose PREPARE comes in the stream too are there twice, with one xid.
 */
export async function readPreparedTransactions(sql: SqlClient, streamStartLsn: Lsn): Promise<TransactionEvent[]> {
  const rows = await sql.query<PreparedRow>('reading pg_prepared_xacts', PREPARED_SQL);
  return rows.map((row) => ({
    kind: 'prepare',
    lsn: streamStartLsn,
    endLsn: streamStartLsn,
    previousLsn: streamStartLsn,
    xid: Number(row.xid),
    databaseOid: Number(row.database_oid),
    gid: row.gid,
    timeUs: BigInt(row.prepared_us),
    subxids: [],
    seeded: true,
  }));
}
