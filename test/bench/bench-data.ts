import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { PostgresServer } from '../support/postgres-server.ts';

const ROWS_A_ROUND = 100_000;

/**
 * Writes rows as applications do (numbers, times, half-random text; inserts, and updates of scattered rows with full-page images after
 * each checkpoint) until the server has made `walBytes` of WAL since `sinceLsn`.
 */
export async function makeWal(server: PostgresServer, walBytes: number, sinceLsn: string): Promise<void> {
  await server.query(`CREATE TABLE IF NOT EXISTS orders (
    id bigserial PRIMARY KEY, customer int, created timestamptz, state text, amount numeric(12, 2), address text, note text)`);
  for (let round = 0; ; round++) {
    const written = Number(await server.value('SELECT pg_current_wal_insert_lsn() - $1::pg_lsn', [sinceLsn]));
    if (written >= walBytes) return;
    await insertOrders(server);
    await server.query(`UPDATE orders SET state = 'paid', amount = amount + 1
      WHERE id IN (SELECT (random() * ${(round + 1) * ROWS_A_ROUND})::bigint FROM generate_series(1, ${ROWS_A_ROUND / 5}))`);
    if (round % 3 === 2) await server.query('CHECKPOINT');
  }
}

/** Fills the database up to `bytes`. */
export async function makeData(server: PostgresServer, bytes: number): Promise<void> {
  await server.query(`CREATE TABLE IF NOT EXISTS orders (
    id bigserial PRIMARY KEY, customer int, created timestamptz, state text, amount numeric(12, 2), address text, note text)`);
  while (Number(await server.value('SELECT pg_database_size(current_database())')) < bytes) await insertOrders(server);
  await server.query('CHECKPOINT');
}

async function insertOrders(server: PostgresServer): Promise<void> {
  await server.query(`INSERT INTO orders (customer, created, state, amount, address, note)
    SELECT random() * 1e6, now() - random() * interval '900 days', (ARRAY['new', 'paid', 'sent', 'closed'])[1 + n % 4],
           random() * 1e4, 'street ' || (random() * 1e5)::int || ', city ' || (random() * 1e3)::int, md5(random()::text)
      FROM generate_series(1, ${ROWS_A_ROUND}) n`);
}

/** Of all files in a directory and below. */
export function directoryBytes(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(path.join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}
