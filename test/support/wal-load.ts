import { parseLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { PostgresServer } from './postgres-server.ts';
import type { SeededRandom } from './bank/seeded-random.ts';

/** Writes WAL of many kinds until it is stopped, and does not mind when its server goes away. */
export class WalLoad {
  readonly #server: PostgresServer;
  readonly #random: SeededRandom;
  #stopped = false;
  #number = 0;
  /** Before its first record. */
  startLsn: Lsn = NO_LSN;

  constructor(server: PostgresServer, random: SeededRandom) {
    this.#server = server;
    this.#random = random;
  }

  async prepare(): Promise<void> {
    await this.#server.query('CREATE TABLE wal_load (id bigint, content bytea)');
    await this.#server.query('ALTER TABLE wal_load ALTER content SET STORAGE EXTERNAL');
    await this.#server.query('CREATE INDEX ON wal_load (id)');
    this.startLsn = parseLsn(await this.#server.value('SELECT pg_current_wal_insert_lsn()::text'));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Ends after `stop`; prepared transactions that were left over are rolled back. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#step();
      } catch {
        // the server was restarted under it
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    if (!this.#server.running) return;
    for (const { gid } of await this.#server.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts')) {
      await this.#server.query(`ROLLBACK PREPARED '${gid}'`);
    }
  }

  async #step(): Promise<void> {
    const id = ++this.#number;
    const size = this.#random.pick([10, 200, 3_000, 30_000, 200_000]);
    const insert = `INSERT INTO wal_load SELECT ${id}, convert_to(repeat(md5(${id}::text), ${Math.ceil(size / 32)}), 'UTF8')`;
    const kind = this.#random.below(20);
    if (kind === 0) await this.#server.query('SELECT pg_switch_wal()');
    else if (kind === 1) await this.#server.query('CHECKPOINT');
    else if (kind === 2) await this.#server.query(`BEGIN; ${insert}; ROLLBACK`);
    else if (kind === 3) await this.#server.query(`SELECT pg_logical_emit_message(true, 'load', repeat('x', 1500000))`);
    else if (kind < 8) {
      await this.#server.query(`BEGIN; ${insert}; PREPARE TRANSACTION 'load ${id}'`);
      await this.#server.query(`${kind < 7 ? 'COMMIT' : 'ROLLBACK'} PREPARED 'load ${id}'`);
    } else await this.#server.query(insert);
  }
}
