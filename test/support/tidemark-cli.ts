import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChildProcess } from './child-process.ts';
import { reachableCheckout } from './reachable-checkout.ts';
import { waitFor } from './wait-for.ts';

const RETRIES = 5;
const RETRY_PAUSE_MS = 1000;

/** What a command printed and how it ended. */
export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as users have it: `node dist/coordinator/cli/main.js …`. */
export class TidemarkCli {
  readonly #addresses: () => readonly string[];
  readonly #directory: string;

  /**
   * @param addresses of coordinators, asked for at each call
   * @param directory where commands are run
   */
  constructor(addresses: () => readonly string[], directory: string) {
    this.#addresses = addresses;
    this.#directory = directory;
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], timeoutMs = 60_000): Promise<CliResult> {
    const checkout = reachableCheckout();
    const coordinators = this.#addresses().join(',');
    await using child = await ChildProcess.start({
      name: `tidemark ${args.join(' ')}`,
      command: checkout.node,
      args: ['--enable-source-maps', path.join(checkout.root, 'dist/coordinator/cli/main.js'), ...args],
      directory: this.#directory,
      env: coordinators === '' ? {} : { TIDEMARK_COORDINATOR: coordinators },
    });
    await waitFor(`${child.name} ends`, () => child.exit, { timeoutMs });
    const exit = await child.exited;
    return { exitCode: exit.code ?? 1, stdout: child.stdout, stderr: child.stderr };
  }

  /**
   * Runs a command with `--json` and returns the last JSON document that it printed. An error that says that a retry helps is given some.
   * @throws Error with its output if it fails
   */
  async json<T>(args: readonly string[], timeoutMs?: number): Promise<T> {
    let result = await this.run([...args, '--json'], timeoutMs);
    // as a person would do when told that the leader has just changed
    for (let again = 0; again < RETRIES && result.exitCode !== 0 && isRetryable(result.stderr); again++) {
      await delay(RETRY_PAUSE_MS);
      result = await this.run([...args, '--json'], timeoutMs);
    }
    if (result.exitCode !== 0) {
      throw new Error(
        `tidemark ${args.join(' ')} failed with exit code ${result.exitCode}:\n${result.stderr}${result.stdout}`,
      );
    }
    return lastJson(result.stdout) as T;
  }
}

/** Whether the error that was printed says that the same call may succeed later. */
function isRetryable(stderr: string): boolean {
  try {
    return (lastJson(stderr) as { error?: { retryable?: unknown } }).error?.retryable === true;
  } catch {
    return false;
  }
}

/** One document over all lines, else the last line's. */
function lastJson(output: string): unknown {
  const text = output.trim();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return JSON.parse(text.split('\n').at(-1) ?? '') as unknown;
  }
}
