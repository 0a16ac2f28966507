import { spawn, type ChildProcess as NodeChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { signalQuietly } from './processes-below.ts';
import { unprivilegedUser } from './unprivileged-user.ts';
import { waitFor } from './wait-for.ts';

const LINES_MAX = 20_000;
const LOG_TAIL_LINES = 40;
const OUTPUT_GRACE_MS = 500;

export interface ChildOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  /** Must lie in a temporary directory: by it the process is found and ended after whatever happens. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Every line is appended to it. */
  readonly logFile?: string;
  /** `unprivileged` (the default) or the user of this process. */
  readonly user?: 'unprivileged' | 'self';
}

/** How a process ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child in a process group of its own, with its output kept. Disposing kills it. */
export class ChildProcess implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  readonly #child: NodeChildProcess;
  readonly #lines: string[] = [];
  readonly #stdout: string[] = [];
  readonly #stderr: string[] = [];
  readonly #logFile: string | undefined;
  #exit: ChildExit | null = null;

  private constructor(options: ChildOptions, child: NodeChildProcess, pid: number) {
    this.name = options.name;
    this.pid = pid;
    this.#child = child;
    this.#logFile = options.logFile;
    for (const [stream, kept] of [
      [child.stdout, this.#stdout],
      [child.stderr, this.#stderr],
    ] as const) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#keep(line, kept));
    }
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        const finish = () => {
          this.#exit ??= { code, signal };
          resolve(this.#exit);
        };
        // its last lines are worth waiting for, but a daemon that it left behind may hold the pipe open
        child.once('close', finish);
        setTimeout(finish, OUTPUT_GRACE_MS).unref();
      });
    });
  }

  /** @throws Error if the command cannot be started */
  static async start(options: ChildOptions): Promise<ChildProcess> {
    const user = options.user === 'self' ? null : unprivilegedUser();
    const child = spawn(options.command, [...(options.args ?? [])], {
      cwd: options.directory,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        LANG: 'C.UTF-8',
        TZ: 'UTC',
        HOME: options.directory,
        ...(user === null ? { USER: process.env['USER'] } : { USER: user.name, LOGNAME: user.name }),
        ...options.env,
      },
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(new Error(`${options.name}: cannot start ${options.command}: ${error.message}`, { cause: error }));
      });
    });
    if (child.pid === undefined) throw new Error(`${options.name}: started without a pid`);
    return new ChildProcess(options, child, child.pid);
  }

  #keep(line: string, stream: string[]): void {
    for (const kept of [this.#lines, stream]) {
      kept.push(line);
      if (kept.length > LINES_MAX) kept.splice(0, LINES_MAX / 5);
    }
    if (this.#logFile !== undefined) appendFileSync(this.#logFile, `${line}\n`);
  }

  /** Null while it runs. */
  get exit(): ChildExit | null {
    return this.#exit;
  }

  /** The last lines of standard output, each with its end. */
  get stdout(): string {
    return this.#stdout.map((line) => `${line}\n`).join('');
  }

  get stderr(): string {
    return this.#stderr.map((line) => `${line}\n`).join('');
  }

  /** The last lines that it wrote to either output. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  logTail(count = LOG_TAIL_LINES): string {
    return this.#lines.slice(-count).join('\n');
  }

  /**
   * Waits until `condition` holds, or fails with the log's tail when the process ends or the time is over.
   * @throws Error
   */
  async waitUntil<T>(
    what: string,
    condition: () => T | Promise<T>,
    timeoutMs = 30_000,
  ): Promise<Exclude<T, false | null | undefined>> {
    const ended = new AbortController();
    void this.exited.then((exit) => ended.abort(new Error(`ended with ${describeExit(exit)}`)));
    try {
      return await waitFor(what, condition, { timeoutMs, signal: ended.signal });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${this.name}: ${reason} while waiting for ${what}. Its log:\n${this.logTail()}`, {
        cause: error,
      });
    }
  }

  /** Waits for a line of output that matches, from the beginning on; returns it. */
  async waitForLine(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    return await this.waitUntil(
      `a line like ${String(pattern)}`,
      () => this.#lines.find((line) => pattern.test(line)),
      timeoutMs,
    );
  }

  /** To the process alone. */
  signal(signal: NodeJS.Signals): void {
    if (this.#exit === null) signalQuietly(this.pid, signal);
  }

  /** SIGSTOP to the process: it neither runs nor answers, and its connections stay. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  /** SIGKILL to the whole process group; returns when the process is gone. */
  async kill(): Promise<ChildExit> {
    if (this.#exit === null) signalQuietly(-this.pid, 'SIGKILL');
    return await this.exited;
  }

  /**
   * Asks it to end, and returns how it did.
   * @throws Error with the log's tail if it has not ended in time; it is killed then
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 15_000): Promise<ChildExit> {
    this.signal('SIGCONT');
    this.signal(signal);
    try {
      await waitFor(`${this.name} ends after ${signal}`, () => this.#exit, { timeoutMs });
    } catch (error) {
      await this.kill();
      throw new Error(`${this.name} did not end within ${timeoutMs} ms of ${signal}. Its log:\n${this.logTail()}`, {
        cause: error,
      });
    }
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.destroy();
  }
}

export function describeExit(exit: ChildExit): string {
  return exit.signal === null ? `exit code ${exit.code}` : exit.signal;
}

/** Runs a command to its end and returns its output. @throws Error with the output if it fails */
export async function runToEnd(options: ChildOptions, timeoutMs = 120_000): Promise<string> {
  await using child = await ChildProcess.start(options);
  await waitFor(`${options.name} ends`, () => child.exit, { timeoutMs });
  const exit = await child.exited;
  if (exit.code !== 0) {
    throw new Error(`${options.name} failed with ${describeExit(exit)}:\n${child.logTail()}`);
  }
  return child.lines.join('\n');
}
