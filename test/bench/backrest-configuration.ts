import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PostgresServer } from '../support/postgres-server.ts';
import type { TemporaryDirectory } from '../support/temporary-directory.ts';

/**
 * Configures pgBackRest with everything of its own below one directory and a stanza for each server, which has the server's name.
 * @param settings further lines of its [global] section
 * @returns what its command line begins with, for the stanza of a server
 */
export function configureBackrest(
  directory: TemporaryDirectory,
  servers: readonly PostgresServer[],
  settings: Readonly<Record<string, string | number>> = {},
): (server: PostgresServer) => string[] {
  for (const name of ['repo', 'log', 'lock', 'spool']) directory.subdirectory(name);
  const global = {
    'repo1-path': `${directory.path}/repo`,
    'log-path': `${directory.path}/log`,
    'lock-path': `${directory.path}/lock`,
    'spool-path': `${directory.path}/spool`,
    'log-level-console': 'warn',
    'log-level-file': 'off',
    'compress-type': 'zst',
    'start-fast': 'y',
    ...settings,
  };
  const stanzas = servers.map((server) =>
    section(server.name, {
      'pg1-path': server.dataDirectory,
      'pg1-socket-path': server.socketDirectory,
      'pg1-port': server.port,
      'pg1-user': 'postgres',
    }),
  );
  const file = path.join(directory.path, 'pgbackrest.conf');
  writeFileSync(file, [section('global', global), ...stanzas].join(''));
  return (server) => [`--config=${file}`, `--stanza=${server.name}`];
}

function section(name: string, settings: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  return `[${name}]\n${lines.join('')}`;
}
