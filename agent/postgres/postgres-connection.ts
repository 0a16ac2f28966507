import { readFile } from 'node:fs/promises';
import { Client, type ClientConfig } from 'pg';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { toPostgresError } from './postgres-error.ts';

/** How to reach the PostgreSQL server that this agent stands beside. */
export interface PostgresSettings {
  /** A host, or the directory of the Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Read anew for each connection, so that a changed password needs no restart. */
  readonly passwordFile?: string | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Options for pg: every connection of the agent is made with these. */
export function clientConfig(settings: PostgresSettings, purpose: string): ClientConfig {
  const { host, port, user, database, passwordFile } = settings;
  return {
    host,
    port,
    user,
    database,
    // pg takes `undefined` for a password and would then look into the environment and ~/.pgpass
    password: async () => (passwordFile === undefined ? '' : await readPassword(passwordFile)),
    application_name: `tidemark ${purpose}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/**
 * Opens one connection. The caller ends it. Errors of an idle connection are left to the next query on it.
 * @throws TidemarkError TM-PG-001 if PostgreSQL cannot be reached, TM-PG-002 if it refuses the login
 */
export async function connectPostgres(
  settings: PostgresSettings,
  purpose: string,
  options: ClientConfig & { readonly replication?: 'true' } = {},
): Promise<Client> {
  const client = new Client({ ...clientConfig(settings, purpose), ...options });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw toPostgresError(error, `connecting to ${settings.host}:${settings.port}`);
  }
  return client;
}

async function readPassword(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trimEnd();
  } catch (error) {
    throw new TidemarkError('TM-CONFIG-002', `postgres.password_file ${file} cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
}
