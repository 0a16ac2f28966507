import { Pool, type QueryResultRow } from 'pg';
import { clientConfig, type PostgresSettings } from './postgres-connection.ts';
import { toPostgresError } from './postgres-error.ts';

const CONNECTIONS_MAX = 3;
const QUERY_TIMEOUT_MS = 15_000;

/** Ordinary, short SQL on at most three connections, which are made when needed and again after a failure. */
export class SqlClient {
  readonly #pool: Pool;

  constructor(settings: PostgresSettings) {
    this.#pool = new Pool({
      ...clientConfig(settings, 'agent'),
      max: CONNECTIONS_MAX,
      idleTimeoutMillis: 30_000,
      query_timeout: QUERY_TIMEOUT_MS,
      statement_timeout: QUERY_TIMEOUT_MS,
    });
    // An idle connection broke; the pool drops it and the next query makes another.
    this.#pool.on('error', () => undefined);
  }

  /**
   * @param what what it is for, in error messages
   * @throws TidemarkError TM-PG-001 (unreachable), TM-PG-002 (refused) or TM-PG-004 (the query failed)
   */
  async query<Row extends QueryResultRow>(
    what: string,
    text: string,
    values: readonly (string | number | boolean | null)[] = [],
  ): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>(text, [...values])).rows;
    } catch (error) {
      throw toPostgresError(error, what);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
