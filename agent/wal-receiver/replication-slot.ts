import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, parseLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { SqlClient } from '../postgres/sql-client.ts';

interface SlotRow {
  slot_type: string;
  temporary: boolean;
  restart_lsn: string | null;
  wal_status: string | null;
}

const SLOT_SQL = `SELECT slot_type, temporary, restart_lsn::text, wal_status FROM pg_replication_slots WHERE slot_name = $1`;

/**
 * Makes the agent's physical slot if it is missing, reserving WAL from the last checkpoint on, and gives its restart position. One that
 * PostgreSQL has invalidated keeps nothing and is never used again: it is made anew.
 * @throws TidemarkError TM-PG-002 if the name belongs to another kind of slot
 */
export async function ensureSlot(sql: SqlClient, slot: string): Promise<Lsn> {
  let [row] = await readSlot(sql, slot);
  if (row?.wal_status === 'lost' && isOwn(row)) {
    await sql.query(`dropping replication slot ${slot}, which is lost`, 'SELECT pg_drop_replication_slot($1)', [slot]);
    row = undefined;
  }
  if (row === undefined) {
    await sql.query(`creating replication slot ${slot}`, 'SELECT pg_create_physical_replication_slot($1, true)', [
      slot,
    ]);
    [row] = await readSlot(sql, slot);
  }
  if (row === undefined) throw new TidemarkError('TM-PG-004', `replication slot ${slot} vanished after it was created`);
  if (!isOwn(row)) {
    throw new TidemarkError('TM-PG-002', `replication slot ${slot} exists and is not a permanent physical one`, {
      hint: 'Give the agent another name in "slot".',
    });
  }
  return row.restart_lsn === null ? NO_LSN : parseLsn(row.restart_lsn);
}

function isOwn(row: SlotRow): boolean {
  return row.slot_type === 'physical' && !row.temporary;
}

async function readSlot(sql: SqlClient, slot: string): Promise<SlotRow[]> {
  return sql.query<SlotRow>(`reading replication slot ${slot}`, SLOT_SQL, [slot]);
}
