import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';

const execute = promisify(execFile);

export interface PostgresProgram {
  readonly postgres: string;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Finds the server program of a major version: in the configured directory, else where Debian and Red Hat put it.
 * @throws TidemarkError TM-CONFIG-001 if there is none
 */
export async function findPostgres(binDirectory: string | undefined, major: number): Promise<PostgresProgram> {
  const directories =
    binDirectory === undefined ? [`/usr/lib/postgresql/${major}/bin`, `/usr/pgsql-${major}/bin`] : [binDirectory];
  const found: string[] = [];
  for (const directory of directories) {
    const postgres = path.join(directory, 'postgres');
    const environment = environmentFor(directory);
    const version = await versionOf(postgres, environment);
    if (version === major) return { postgres, environment };
    if (version !== null) found.push(`${postgres} is PostgreSQL ${version}`);
  }
  throw new TidemarkError(
    'TM-CONFIG-001',
    `the backup needs PostgreSQL ${major}, which is not in ${directories.join(' or ')}${found.length === 0 ? '' : `: ${found.join(', ')}`}`,
    { hint: `Set postgres.bin_directory to the programs of PostgreSQL ${major}.` },
  );
}

/** Builds that were moved find their libraries beside their programs. */
function environmentFor(binDirectory: string): NodeJS.ProcessEnv {
  const libraries = [path.join(path.dirname(binDirectory), 'lib'), process.env['LD_LIBRARY_PATH']];
  return { ...process.env, LD_LIBRARY_PATH: libraries.filter((each) => each !== undefined && each !== '').join(':') };
}

async function versionOf(postgres: string, environment: NodeJS.ProcessEnv): Promise<number | null> {
  try {
    await access(postgres);
    const { stdout } = await execute(postgres, ['--version'], { env: environment });
    return Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? 0);
  } catch {
    return null;
  }
}
