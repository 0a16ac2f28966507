import { spawn } from 'node:child_process';
import { open, readFile, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { PostgresProgram } from './postgres-programs.ts';

export interface RestoredServerOptions {
  readonly directory: string;
  readonly logFile: string;
  readonly superuser: string;
  readonly clock: Clock;
}

/** What a running postmaster says in its lock file. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly socketDirectory: string;
  /** starting, standby, ready, stopping */
  readonly status: string;
}

const POLL_MS = 50;
const STOP_TIMEOUT_MS = 120_000;
/** A killed server is there until it was reaped, its backends until they have noticed. */
const LEFT_BEHIND = /lock file .* already exists|pre-existing shared memory block/;
const LEFT_BEHIND_MAX_MS = 15_000;
/** What the server answers to those who come too early; no reason for anything. */
const TOO_EARLY = /the database system is (starting up|not yet accepting|shutting down|not accepting)/;

/**
 * The server of a restored data directory. It is nobody's child for long: it outlives the agent, and is found again by its
 * lock file.
 */
export class RestoredServer {
  readonly #options: RestoredServerOptions;

  constructor(options: RestoredServerOptions) {
    this.#options = options;
  }

  /**
   * Starts it, and waits until it has its lock file or has ended. Its output is appended to the log. What is left of a server that was
   * killed a moment ago makes it wait.
   */
  async start(program: PostgresProgram): Promise<void> {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    for (;;) {
      const fromByte = await this.logBytes();
      if (await this.#startOnce(program)) return;
      const lines = await this.logLines(fromByte);
      const passing = lines.some((line) => LEFT_BEHIND.test(line));
      if (!passing || clock.monotonicMs() - beganMs > LEFT_BEHIND_MAX_MS) return;
      await clock.sleep(POLL_MS);
    }
  }

  /** False if it has ended again. */
  async #startOnce({ postgres, environment }: PostgresProgram): Promise<boolean> {
    const { directory, logFile, clock } = this.#options;
    const log = await open(logFile, 'a', 0o600);
    try {
      // On the command line, so that a data_directory in the restored configuration cannot name another, living one.
      const child = spawn(postgres, ['-D', directory, '-c', `data_directory=${directory}`], {
        cwd: directory,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: environment,
      });
      const gone = new Promise<true>((resolve) => child.once('exit', () => resolve(true)));
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      while ((await this.postmaster())?.pid !== child.pid) {
        if (await Promise.race([gone, clock.sleep(POLL_MS).then(() => false)])) return false;
      }
      return true;
    } finally {
      await log.close();
    }
  }

  /** Null if it does not run. */
  async postmaster(): Promise<Postmaster | null> {
    let lines: string[];
    try {
      lines = (await readFile(path.join(this.#options.directory, 'postmaster.pid'), 'utf8')).split('\n');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 1 || !(await this.#isOurs(pid))) return null;
    return {
      pid,
      port: Number(lines[3] ?? 0),
      socketDirectory: lines[4] ?? '',
      status: (lines[7] ?? '').trim(),
    };
  }

  /** A stale lock file may name a process that has nothing to do with this directory. */
  async #isOurs(pid: number): Promise<boolean> {
    try {
      process.kill(pid, 0);
    } catch {
      return false;
    }
    try {
      return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(this.#options.directory));
    } catch (error) {
      // No /proc here: the process exists, and that has to do.
      return (error as NodeJS.ErrnoException).code !== 'ENOENT' || process.platform !== 'linux';
    }
  }

  /** Stops it and waits until it is gone. */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    let asked: 'SIGINT' | 'SIGQUIT' | null = null;
    for (;;) {
      const postmaster = await this.postmaster();
      if (postmaster === null) return;
      const waitedMs = clock.monotonicMs() - startedMs;
      const wanted = waitedMs < STOP_TIMEOUT_MS / 2 ? 'SIGINT' : 'SIGQUIT';
      if (wanted !== asked) {
        process.kill(postmaster.pid, wanted);
        asked = wanted;
      }
      if (waitedMs > STOP_TIMEOUT_MS) {
        throw new TidemarkError('TM-PG-001', `the server of ${this.#options.directory} does not stop`);
      }
      await clock.sleep(POLL_MS);
    }
  }

  /** The role that statements are run by. */
  get superuser(): string {
    return this.#options.superuser;
  }

  /** Runs one statement on a connection of its own. */
  async query<Row extends Record<string, unknown>>(
    text: string,
    options: { readonly database?: string; readonly values?: unknown[] } = {},
  ): Promise<Row[]> {
    const postmaster = await this.postmaster();
    if (postmaster === null) throw await this.failure('the server has ended');
    const client = new Client({
      host: postmaster.socketDirectory,
      port: postmaster.port,
      user: this.#options.superuser,
      database: options.database ?? 'postgres',
      application_name: 'tidemark restore',
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(text, options.values ?? [])).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Bytes of the log so far. */
  async logBytes(): Promise<number> {
    try {
      return (await stat(this.#options.logFile)).size;
    } catch {
      return 0;
    }
  }

  /** The log's lines from a byte on. */
  async logLines(fromByte = 0): Promise<string[]> {
    try {
      return (await readFile(this.#options.logFile)).subarray(fromByte).toString('utf8').split('\n');
    } catch {
      return [];
    }
  }

  /** The last thing that the server complained of, as TM-RESTORE-004. */
  async failure(what: string, fromByte = 0): Promise<TidemarkError> {
    const lines = (await this.logLines(fromByte)).filter((line) => /\b(FATAL|PANIC|ERROR)\b/.test(line));
    const line = lines.filter((each) => !TOO_EARLY.test(each)).at(-1);
    return new TidemarkError('TM-RESTORE-004', line === undefined ? what : `${what}: ${line.trim()}`, {
      hint: `See the PostgreSQL log ${this.#options.logFile}.`,
    });
  }
}
