import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { clientProgram } from './postgres-binaries.ts';

/** Programs that do not come from npm, and the Debian package that holds each. */
const PACKAGES = {
  etcd: 'etcd-server',
  pg_receivewal: 'postgresql-client-15',
  pg_basebackup: 'postgresql-client-15',
  pg_amcheck: 'postgresql-client-15',
  // of the server's package: a cluster of its own is not wanted, see installQuietly
  pg_waldump: 'postgresql-15',
  pgbench: 'postgresql-15',
  pgbackrest: 'pgbackrest',
  zstd: 'zstd',
  // not a program: preloaded into one, it sets the clock apart
  'libfaketime.so.1': 'libfaketime',
} as const;

const LIBRARY_DIRECTORIES = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime`);

export type DebianProgram = keyof typeof PACKAGES;

function find(program: DebianProgram): string | null {
  const fromPostgres = clientProgram(program);
  if (fromPostgres !== null) return fromPostgres;
  const isLibrary = program.includes('.so');
  const directories = isLibrary
    ? LIBRARY_DIRECTORIES
    : [...(process.env['PATH'] ?? '').split(':'), '/usr/bin', '/usr/local/bin'];
  const mode = isLibrary ? constants.R_OK : constants.X_OK;
  return directories.map((directory) => `${directory}/${program}`).find((file) => isAccessible(file, mode)) ?? null;
}

function isAccessible(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

/** Whether the program is there. */
export function hasProgram(program: DebianProgram): boolean {
  return find(program) !== null;
}

/**
 * The path of a program that does not come from npm.
 * @throws Error that says what to install
 */
export function debianProgram(program: DebianProgram): string {
  const file = find(program);
  if (file === null) {
    throw new Error(`${program} is missing. Install it as root: apt-get install ${PACKAGES[program]}`);
  }
  return file;
}

/**
 * Installs what is missing, where this process is root on a machine with apt. No service is started by it.
 * @returns the programs that are missing still
 */
export function installMissingPrograms(wanted: readonly DebianProgram[], say: (line: string) => void): DebianProgram[] {
  const missing = wanted.filter((program) => !hasProgram(program));
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((program) => PACKAGES[program]))];
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`missing: ${missing.join(', ')}. Install as root: apt-get install ${packages.join(' ')}`);
    return missing;
  }
  say(`installing ${packages.join(', ')}`);
  installQuietly(packages);
  const left = missing.filter((program) => !hasProgram(program));
  if (left.length > 0) say(`apt-get could not install: ${left.join(', ')}`);
  return left;
}

const SERVICE_POLICY = '/usr/sbin/policy-rc.d';
const NEW_CLUSTER_SETTINGS = '/etc/postgresql-common/createcluster.conf';

/** Only the programs are wanted: the installation starts no service and makes no PostgreSQL cluster. */
function installQuietly(packages: readonly string[]): void {
  const noPolicy = !existsSync(SERVICE_POLICY);
  let clusterSettings: string | undefined;
  try {
    if (noPolicy) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    if (packages.some((name) => /^postgresql-\d+$/.test(name))) {
      install(['postgresql-common']);
      clusterSettings = readFileSync(NEW_CLUSTER_SETTINGS, 'utf8');
      writeFileSync(NEW_CLUSTER_SETTINGS, `${clusterSettings}\ncreate_main_cluster = false\n`);
    }
    install(packages);
  } finally {
    if (clusterSettings !== undefined) writeFileSync(NEW_CLUSTER_SETTINGS, clusterSettings);
    if (noPolicy) rmSync(SERVICE_POLICY, { force: true });
  }
  if (packages.includes('etcd-server') && existsSync('/run/systemd/system')) {
    spawnSync('systemctl', ['disable', '--now', 'etcd'], { stdio: 'ignore' });
  }
}

function install(packages: readonly string[]): void {
  const args = ['install', '-y', '--no-install-recommends', ...packages];
  if (aptGet(args)) return;
  // the package lists may be missing or old
  aptGet(['update']);
  aptGet(args);
}

function aptGet(args: readonly string[]): boolean {
  const { status } = spawnSync('apt-get', ['-q', ...args], {
    stdio: 'ignore',
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}
