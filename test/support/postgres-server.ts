import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Client, DatabaseError, type ClientConfig } from 'pg';
import { ChildProcess, runToEnd } from './child-process.ts';
import { debianProgram } from './debian-packages.ts';
import { freePort } from './free-port.ts';
import { postgresBinaries, type PostgresMajor } from './postgres-binaries.ts';
import { processesBelow, releaseSharedMemoryBelow, signalQuietly } from './processes-below.ts';
import { TemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

export interface PostgresOptions {
  /** Default 18. */
  readonly major?: PostgresMajor;
  /** For messages and directory names. */
  readonly name?: string;
  /** Written to postgresql.conf, after the defaults below. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** A power of two from 1 to 1024; default 16. */
  readonly walSegmentSizeMb?: number;
  /** Default true. */
  readonly checksums?: boolean;
  /** How far its clock is ahead of the machine's, by libfaketime; default 0. */
  readonly clockAheadMs?: number;
  /** The data directory; must not exist. Default: in a temporary directory of the server's own. */
  readonly dataDirectory?: string;
  /** The server's programs, of the same major; default: those of the npm package. */
  readonly binDirectory?: string;
}

export type ShutdownMode = 'smart' | 'fast' | 'immediate';

export type SqlValue = string | number | bigint | boolean | null | Buffer;

// Tests kill processes, not machines: what the kernel holds survives, so nothing needs to reach the disk.
const DEFAULT_SETTINGS = {
  fsync: 'off',
  wal_level: 'replica',
  max_wal_senders: 10,
  max_replication_slots: 10,
  max_prepared_transactions: 200,
  max_connections: 100,
  shared_buffers: '64MB',
  hot_standby: 'on',
  listen_addresses: "'127.0.0.1'",
  dynamic_shared_memory_type: 'mmap',
  log_min_messages: 'warning',
  log_line_prefix: "'%m [%p] '",
  logging_collector: 'off',
  timezone: 'UTC',
} as const;

/** A PostgreSQL server of the test's own, superuser `postgres`, any local connection trusted. Disposing ends and removes it. */
export class PostgresServer implements AsyncDisposable {
  readonly name: string;
  readonly major: PostgresMajor;
  readonly port: number;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly binDirectory: string;
  readonly #directory: TemporaryDirectory;
  readonly #env: Readonly<Record<string, string>>;
  #process: ChildProcess | null = null;
  #client: Client | null = null;

  private constructor(directory: TemporaryDirectory, port: number, options: PostgresOptions) {
    this.major = options.major ?? 18;
    this.name = options.name ?? `postgres-${this.major}`;
    this.port = port;
    this.#directory = directory;
    this.#env = clockEnvironment(options.clockAheadMs ?? 0);
    this.socketDirectory = directory.path;
    this.dataDirectory = options.dataDirectory ?? path.join(directory.path, 'data');
    this.binDirectory = options.binDirectory ?? postgresBinaries(this.major).binDirectory;
  }

  /** Makes the data directory and starts the server. */
  static async create(options: PostgresOptions = {}): Promise<PostgresServer> {
    const server = await PostgresServer.initialize(options);
    try {
      await server.start();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Makes the data directory only. */
  static async initialize(options: PostgresOptions = {}): Promise<PostgresServer> {
    const directory = TemporaryDirectory.create('pg');
    const server = new PostgresServer(directory, await freePort(), options);
    await runToEnd({
      name: `${server.name} initdb`,
      command: path.join(server.binDirectory, 'initdb'),
      directory: directory.path,
      args: [
        `--pgdata=${server.dataDirectory}`,
        '--username=postgres',
        '--auth=trust',
        '--no-sync',
        '--encoding=UTF8',
        '--locale=C',
        `--wal-segsize=${options.walSegmentSizeMb ?? 16}`,
        ...checksumOptions(server.major, options.checksums ?? true),
      ],
    });
    server.configure({
      ...DEFAULT_SETTINGS,
      port: server.port,
      unix_socket_directories: `'${server.socketDirectory}'`,
      ...options.settings,
    });
    return server;
  }

  /** Takes over a data directory that exists, such as a copy: on a free port and a socket of its own. Disposing removes it. */
  static async adopt(dataDirectory: string, options: PostgresOptions = {}): Promise<PostgresServer> {
    const server = new PostgresServer(TemporaryDirectory.create('pg'), await freePort(), { ...options, dataDirectory });
    server.configure({
      port: server.port,
      unix_socket_directories: `'${server.socketDirectory}'`,
      ...options.settings,
    });
    return server;
  }

  /** Appends settings to postgresql.conf; values as they are written there. They count from the next start or reload. */
  configure(settings: Readonly<Record<string, string | number>>): void {
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
    appendFileSync(path.join(this.dataDirectory, 'postgresql.conf'), lines.join(''));
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs already`);
    const child = await ChildProcess.start({
      name: this.name,
      command: path.join(this.binDirectory, 'postgres'),
      args: ['-D', this.dataDirectory],
      directory: this.#directory.path,
      env: this.#env,
    });
    this.#process = child;
    await child.waitUntil('it answers', async () => {
      await this.query('SELECT 1');
      return true;
    });
  }

  get running(): boolean {
    return this.#process !== null && this.#process.exit === null;
  }

  /** The postmaster's. */
  get pid(): number {
    if (this.#process === null) throw new Error(`${this.name} was never started`);
    return this.#process.pid;
  }

  logTail(): string {
    return this.#process?.logTail() ?? '';
  }

  async stop(mode: ShutdownMode = 'fast', timeoutMs = 60_000): Promise<void> {
    await this.#closeClient();
    const signal = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;
    if (this.running) await this.#process?.stop(signal[mode], timeoutMs);
  }

  async restart(mode: ShutdownMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** SIGKILL to the postmaster and to every backend, which have process groups of their own. */
  async kill(): Promise<void> {
    await this.#closeClient();
    const child = this.#process;
    if (child === null || child.exit !== null) return;
    child.pause(); // so that it starts no other backend meanwhile
    for (const { pid } of processesBelow(this.dataDirectory)) {
      if (pid !== child.pid) signalQuietly(pid, 'SIGKILL');
    }
    await child.kill();
    await waitFor(`${this.name} is gone`, () => processesBelow(this.dataDirectory).length === 0);
  }

  /** Removes the data directory of a server that does not run. */
  async destroyData(): Promise<void> {
    if (this.running) throw new Error(`${this.name} still runs`);
    if (existsSync(this.dataDirectory)) releaseSharedMemoryBelow(this.dataDirectory);
    await rm(this.dataDirectory, { recursive: true, force: true });
  }

  get connection(): { host: string; port: number; user: string; database: string } {
    return { host: this.socketDirectory, port: this.port, user: 'postgres', database: 'postgres' };
  }

  /** A connection of the caller's own. */
  async connect(options: ClientConfig = {}): Promise<Client> {
    const client = new Client({ ...this.connection, ...options });
    // without a listener, a connection that breaks while idle would end the test run
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Runs a statement on a connection that is kept for this; one row an object. */
  async query<Row extends object = Record<string, unknown>>(
    text: string,
    values: readonly SqlValue[] = [],
  ): Promise<Row[]> {
    this.#client ??= await this.connect();
    try {
      const result = await this.#client.query<Row>(text, [...values]);
      return result.rows;
    } catch (error) {
      // a database error leaves the connection usable, anything else may not
      if (!(error instanceof DatabaseError) || error.severity !== 'ERROR') await this.#closeClient();
      throw error;
    }
  }

  /** The first column of the first row. */
  async value<T = string>(text: string, values: readonly SqlValue[] = []): Promise<T> {
    const [row] = await this.query(text, values);
    if (row === undefined) throw new Error(`${this.name}: no row from ${text}`);
    return Object.values(row)[0] as T;
  }

  /** The system identifier, in decimal. */
  async systemIdentifier(): Promise<string> {
    return await this.value('SELECT system_identifier::text FROM pg_control_system()');
  }

  async #closeClient(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeClient();
    if (this.running) await this.#process?.stop('SIGQUIT').catch(() => this.kill());
    if (existsSync(this.dataDirectory)) {
      releaseSharedMemoryBelow(this.dataDirectory);
      await rm(this.dataDirectory, { recursive: true, force: true });
    }
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** Only the wall clock is moved: a timeout goes by the monotonic one. */
function clockEnvironment(aheadMs: number): Record<string, string> {
  if (aheadMs === 0) return {};
  return {
    LD_PRELOAD: debianProgram('libfaketime.so.1'),
    FAKETIME: `${aheadMs < 0 ? '' : '+'}${(aheadMs / 1000).toFixed(3)}s`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

function checksumOptions(major: PostgresMajor, checksums: boolean): string[] {
  if (checksums) return ['--data-checksums'];
  return major >= 18 ? ['--no-data-checksums'] : [];
}

/** The port in a running server's lock file, for servers that something else started. */
export function postmasterPort(dataDirectory: string): number {
  return Number(readFileSync(path.join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[3]);
}
