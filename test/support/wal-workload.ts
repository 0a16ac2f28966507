import type { Client } from 'pg';
import type { PostgresServer } from './postgres-server.ts';
import { waitFor } from './wait-for.ts';

/** What the workload prepared and left unfinished. */
export const LEFT_PREPARED = 'left/open';

/**
 * Makes WAL of many kinds on a fresh server: DDL, subtransactions, two-phase commit, drops, long records over segments, page images, a
 * restore point, a segment switch, a crash under load.
 */
export async function makeVariedWal(server: PostgresServer): Promise<void> {
  await server.query('CREATE TABLE accounts (id int PRIMARY KEY, balance bigint, note text)');
  await server.query("INSERT INTO accounts SELECT i, 1000, repeat('x', i % 300) FROM generate_series(1, 3000) i");
  await twoPhase(server);
  await server.query("SELECT pg_create_restore_point('in the middle')");
  await server.query('SELECT pg_switch_wal()');
  await server.query('CHECKPOINT');
  await server.query('UPDATE accounts SET balance = balance + 1 WHERE id % 3 = 0');
  await server.query("SELECT pg_logical_emit_message(false, 'long', repeat('y', 3500000))");
  await server.query("DO $$ BEGIN PERFORM pg_logical_emit_message(true, 'own', 'z'); END $$");
  await crashUnderLoad(server);
  await twoPhase(server);
  await server.query('CREATE TABLE dropped_one (a int PRIMARY KEY, b text)');
  await server.query('CREATE TABLE dropped_two (a int PRIMARY KEY)');
  await server.query('DROP TABLE dropped_one, dropped_two');
  await server.query('VACUUM accounts');
  await server.query('TRUNCATE accounts');
  await server.query('SELECT pg_switch_wal()');
  await server.query('INSERT INTO accounts VALUES (1, 2, NULL)');
}

async function twoPhase(server: PostgresServer): Promise<void> {
  const client = await server.connect();
  try {
    for (const [round, ending] of ['COMMIT PREPARED', 'ROLLBACK PREPARED', 'COMMIT PREPARED'].entries()) {
      const gid = `transfer ${round} of Zürich: ${ending}`;
      await client.query(`BEGIN; UPDATE accounts SET balance = 0 WHERE id = ${round + 1}`);
      for (let depth = 0; depth < 3 * round; depth++) {
        await client.query(`SAVEPOINT s${depth}; UPDATE accounts SET balance = ${depth} WHERE id = 100 + ${depth}`);
      }
      // Relations that the end drops, statistics, and messages to caches are further parts of the records.
      await client.query(`CREATE TABLE made_${round} (a int PRIMARY KEY)`);
      await client.query(`PREPARE TRANSACTION '${gid}'`);
      await client.query(`${ending} '${gid}'`);
    }
    await client.query('BEGIN; DROP TABLE made_0; DROP TABLE made_2');
    await client.query("PREPARE TRANSACTION 'drops'");
    await client.query("COMMIT PREPARED 'drops'");
    await client.query(
      'BEGIN; INSERT INTO accounts VALUES (-1, 0); SAVEPOINT a; INSERT INTO accounts VALUES (-2, 0); ROLLBACK',
    );
    await client.query(
      'BEGIN; SAVEPOINT a; INSERT INTO accounts VALUES (-3, 0); RELEASE a; COMMIT; DELETE FROM accounts WHERE id < 0',
    );
    const open = await client.query('SELECT 1 FROM pg_prepared_xacts WHERE gid = $1', [LEFT_PREPARED]);
    if (open.rowCount === 0) {
      await client.query('BEGIN; CREATE TABLE left_open (a int)');
      await client.query(`PREPARE TRANSACTION '${LEFT_PREPARED}'`);
    }
  } finally {
    await client.end();
  }
}

/** Several clients write, also long records, when the server is stopped at once. */
async function crashUnderLoad(server: PostgresServer): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 3 }, () => server.connect()));
  const load = Promise.all(clients.map((client, number) => writeUntilCrash(client, number)));
  const before = await server.value('SELECT pg_current_wal_lsn()::text');
  await waitFor(
    'the load writes',
    async () => await server.value('SELECT pg_current_wal_lsn() > $1::pg_lsn + 3000000', [before]),
  );
  await server.stop('immediate');
  await load;
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  await server.start();
}

async function writeUntilCrash(client: Client, number: number): Promise<void> {
  try {
    for (let round = 0; round < 1000; round++) {
      await client.query(`UPDATE accounts SET balance = balance - 1 WHERE id % 500 = ${number}`);
      await client.query("SELECT pg_logical_emit_message(false, 'load', repeat('w', 300000))");
    }
  } catch {
    return; // The server went away, as it should.
  }
  throw new Error('the server was not stopped');
}
