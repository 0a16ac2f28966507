import path from 'node:path';
import type { Client } from 'pg';
import type { PostgresServer } from './postgres-server.ts';

/** Rows of the accounts that the transactions go over. */
const ACCOUNTS = 20_000;

/** GIDs of the greatest length that PostgreSQL takes: 200 bytes with the zero at their end. */
export function longGid(number: number): string {
  return `${number} Zürich `.padEnd(198, 'x');
}

/** Makes the tables that the other functions write to. */
export async function makeRoundTables(server: PostgresServer): Promise<void> {
  await server.query(`
    CREATE TABLE branches (bid int PRIMARY KEY, balance bigint);
    CREATE TABLE tellers (tid int PRIMARY KEY, balance bigint);
    DROP TABLE IF EXISTS accounts;
    CREATE TABLE accounts (aid int PRIMARY KEY, balance bigint, filler text);
    CREATE TABLE history (tid int, bid int, aid int, delta int, at timestamptz, filler text);
    INSERT INTO branches SELECT n, 0 FROM generate_series(1, 10) n;
    INSERT INTO tellers SELECT n, 0 FROM generate_series(1, 100) n;
    INSERT INTO accounts SELECT n, 0, repeat('x', 80) FROM generate_series(1, ${ACCOUNTS}) n;
    CREATE TABLE documents (id int, body text, tags int[], place point, span int4range, words tsvector);
    CREATE SEQUENCE numbers`);
  await server.query(`CREATE PROCEDURE transfers(amount int) LANGUAGE plpgsql AS $$
    DECLARE account int;
    BEGIN
      FOR turn IN 1..amount LOOP
        account := 1 + (random() * ${ACCOUNTS - 1})::int;
        UPDATE accounts SET balance = balance + turn WHERE aid = account;
        UPDATE tellers SET balance = balance + turn WHERE tid = 1 + account % 100;
        UPDATE branches SET balance = balance + turn WHERE bid = 1 + account % 10;
        INSERT INTO history VALUES (account % 100, account % 10, account, turn, now(), repeat('h', 22));
        IF turn % 50 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
      END LOOP;
    END $$`);
}

/** Transactions as pgbench has them, of several clients; run within the server, so that many take little time. */
export async function transfers(server: PostgresServer, clients: number, amountEach: number): Promise<void> {
  await withClients(server, clients, async (client) => {
    // A client that waits for another one's row in another order gives up; what it wrote is WAL all the same.
    for (let left = amountEach; left > 0; left -= 500) {
      await client.query(`CALL transfers(${Math.min(left, 500)})`).catch(onlyDeadlocks);
    }
  });
}

/** Subtransactions beyond the 64 that PostgreSQL keeps in memory, aborted ones among them, with rows that several lock. */
export async function subtransactions(server: PostgresServer): Promise<void> {
  await server.query(`DO $$ BEGIN
    FOR n IN 1..200 LOOP
      BEGIN
        INSERT INTO history VALUES (n, n, n, n, now(), 'sub');
        IF n % 7 = 0 THEN RAISE division_by_zero; END IF;
      EXCEPTION WHEN division_by_zero THEN NULL;
      END;
    END LOOP; END $$`);
  await withClients(server, 2, async (client) => {
    await client.query('BEGIN; SELECT count(*) FROM (SELECT 1 FROM branches ORDER BY bid FOR SHARE) b');
    await client.query('SAVEPOINT one; SELECT 1 FROM tellers WHERE tid = 1 FOR KEY SHARE; COMMIT');
  });
}

/** Two-phase commit: many subtransactions, the longest GIDs, relations made and dropped; committed and rolled back. */
export async function preparedTransactions(server: PostgresServer, number: number): Promise<void> {
  await withClients(server, 1, async (client) => {
    for (const [index, ending] of ['COMMIT', 'ROLLBACK', 'COMMIT', 'ROLLBACK'].entries()) {
      const gid = longGid(4 * number + index);
      await client.query('BEGIN');
      for (let depth = 0; depth < (index < 2 ? 120 : 3); depth++) {
        await client.query(`SAVEPOINT s${depth}; INSERT INTO history VALUES (${depth}, 0, 0, 0, now(), 'prepared')`);
      }
      await client.query(`CREATE TABLE made_${index} (a int PRIMARY KEY, b text)`);
      if (index > 1) await client.query('DROP TABLE IF EXISTS made_0');
      await client.query(`PREPARE TRANSACTION '${gid}'`);
      await client.query(`${ending} PREPARED '${gid}'`);
    }
    await client.query('DROP TABLE IF EXISTS made_0, made_2');
  });
}

/** COPY in both directions, all kinds of indexes, rewriting, truncation, sequences, large values. */
export async function definitions(server: PostgresServer): Promise<void> {
  await server.query(`
    INSERT INTO documents
      SELECT n, md5(n::text) || repeat('body ' || n, CASE WHEN n % 50 = 0 THEN 3000 ELSE n % 20 END), ARRAY[n % 100, n % 77, n],
             point(n % 1000, n / 7), int4range(n, n + 10), to_tsvector('simple', 'word' || n % 300 || ' other' || n)
        FROM generate_series(1, 3000) n`);
  for (const [method, column] of [
    ['btree', '(id)'],
    ['hash', '(id)'],
    ['gin', '(tags)'],
    ['gin', '(words)'],
    ['gist', '(span)'],
    ['spgist', '(place)'],
    ['brin', '(id) WITH (pages_per_range = 4, autosummarize = on)'],
  ]) {
    await server.query(`CREATE INDEX ON documents USING ${method} ${column}`);
  }
  const file = path.join(server.socketDirectory, 'documents.copy');
  await server.query(`COPY (SELECT * FROM documents WHERE id % 2 = 0) TO '${file}'`);
  await server.query(`COPY documents FROM '${file}'`);
  await server.query(`
    UPDATE documents SET tags = tags || 5, place = point(id % 50, 3), words = to_tsvector('simple', 'more' || id) WHERE id % 3 = 0;
    DELETE FROM documents WHERE id % 4 = 1;
    SELECT nextval('numbers') FROM generate_series(1, 100);
    ALTER SEQUENCE numbers RESTART`);
  await server.query('VACUUM (FREEZE) documents');
  await server.query('DELETE FROM documents WHERE id > 1500');
  await server.query('VACUUM documents');
  await server.query(`
    CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY, b text);
    INSERT INTO scratch SELECT n, 'x' FROM generate_series(1, 500) n;
    ALTER TABLE scratch SET LOGGED;
    DROP TABLE scratch;
    CREATE TABLE copied AS SELECT * FROM accounts LIMIT 2000;
    CREATE INDEX copied_balance ON copied (balance);
    CLUSTER copied USING copied_balance;
    ALTER TABLE copied ADD COLUMN extra int DEFAULT random() * 100, ALTER COLUMN filler TYPE varchar(200);
    CREATE MATERIALIZED VIEW totals AS SELECT bid, count(*) FROM history GROUP BY bid;
    REFRESH MATERIALIZED VIEW totals;
    DROP MATERIALIZED VIEW totals;
    REINDEX TABLE accounts`);
  await server.query('BEGIN; TRUNCATE copied; INSERT INTO copied SELECT * FROM copied; ROLLBACK');
  await server.query('TRUNCATE documents; DROP TABLE copied');
  await server.query('VACUUM FULL history');
}

/** Page images with each compression that the server was built with. */
export async function pageImages(server: PostgresServer): Promise<readonly string[]> {
  const methods = await server.value<string[]>("SELECT enumvals FROM pg_settings WHERE name = 'wal_compression'");
  const wanted = methods.filter((method) => ['pglz', 'lz4', 'zstd', 'off'].includes(method));
  await withClients(server, 1, async (client) => {
    for (const method of wanted) {
      await client.query(`SET wal_compression = ${method}`);
      await client.query('CHECKPOINT');
      await client.query('UPDATE accounts SET balance = balance + 1 WHERE aid % 40 = 3');
      await client.query("INSERT INTO history SELECT 1, 2, n, 3, now(), 'fpi' FROM generate_series(1, 300) n");
    }
  });
  return wanted;
}

/** Tables that VACUUM shortens and that lose rows which were visible to all, init forks, and relations that an abort leaves behind. */
export async function truncations(server: PostgresServer, round: number): Promise<void> {
  await server.query(`
    CREATE TABLE IF NOT EXISTS shortened AS SELECT n AS id, repeat('s', 500) AS filler FROM generate_series(1, 5000) n;
    CREATE UNLOGGED TABLE IF NOT EXISTS unlogged_${round} (a int PRIMARY KEY, b text);
    INSERT INTO unlogged_${round} SELECT n, 'u' FROM generate_series(1, 500) n`);
  await server.query('VACUUM shortened');
  await server.query(`DELETE FROM shortened WHERE id > ${3000 - 1000 * round}`);
  await server.query('VACUUM (TRUNCATE ON) shortened');
  await server.query(`INSERT INTO shortened SELECT n, 'again' FROM generate_series(4000, 4100) n`);
  await server.query('VACUUM shortened');
  // Clears bits of the visibility map.
  await server.query("UPDATE shortened SET filler = 'touched' WHERE id % 100 = 7");
  await server.query('DELETE FROM accounts WHERE aid % 1000 = 11; SELECT count(*) FROM accounts WHERE aid > 0');
  await server.query('BEGIN; CREATE TABLE left_behind AS SELECT * FROM shortened; ROLLBACK');
  await server.query('BEGIN; TRUNCATE history; INSERT INTO history VALUES (1); COMMIT');
  await server.query(`CREATE TABLE dropped AS SELECT * FROM shortened; CREATE INDEX ON dropped (id)`);
  await server.query('BEGIN; DROP TABLE dropped');
  await server.query(`PREPARE TRANSACTION 'drop ${round}'`);
  await server.query(`COMMIT PREPARED 'drop ${round}'`);
}

/** Databases that are made by either strategy, moved and dropped. */
export async function databases(server: PostgresServer, tablespaceDirectory: string): Promise<void> {
  await server.query(`CREATE TABLESPACE elsewhere LOCATION '${tablespaceDirectory}'`);
  for (const strategy of ['wal_log', 'file_copy']) {
    await server.query(`CREATE DATABASE made_by_${strategy} STRATEGY ${strategy}`);
    const client = await server.connect({ database: `made_by_${strategy}` });
    await client.query('CREATE TABLE here AS SELECT n FROM generate_series(1, 1000) n');
    await client.end();
    await server.query(`ALTER DATABASE made_by_${strategy} SET TABLESPACE elsewhere`);
    await server.query(`DROP DATABASE made_by_${strategy}`);
  }
  await server.query('CREATE TABLE there TABLESPACE elsewhere AS SELECT n FROM generate_series(1, 1000) n');
  await server.query('ALTER TABLE there SET TABLESPACE pg_default');
  await server.query('DROP TABLE there; CHECKPOINT');
  await server.query('DROP TABLESPACE elsewhere');
}

async function withClients(
  server: PostgresServer,
  count: number,
  work: (client: Client, number: number) => Promise<void>,
): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, () => server.connect()));
  try {
    await Promise.all(clients.map(work));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

function onlyDeadlocks(error: unknown): void {
  if ((error as { code?: string }).code !== '40P01') throw error;
}
