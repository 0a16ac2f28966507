import { writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { stringify } from 'yaml';
import { ChildProcess, type ChildExit } from './child-process.ts';
import { reachableCheckout } from './reachable-checkout.ts';

interface TidemarkProcessOptions {
  readonly name: string;
  /** Relative to dist/. */
  readonly program: 'agent/main.js' | 'coordinator/main.js';
  /** Configuration, log and state lie here; must exist. */
  readonly directory: string;
  readonly config: object;
  readonly env?: Readonly<Record<string, string>>;
}

/** An agent or a coordinator, started from dist/ with a configuration file. Its directory outlives `kill` and `stop`. */
export class TidemarkProcess implements AsyncDisposable {
  readonly name: string;
  readonly directory: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly #options: TidemarkProcessOptions;
  #process: ChildProcess | null = null;

  constructor(options: TidemarkProcessOptions) {
    this.name = options.name;
    this.directory = options.directory;
    this.configFile = path.join(options.directory, 'config.yaml');
    this.logFile = path.join(options.directory, 'log.jsonl');
    this.#options = options;
    writeFileSync(this.configFile, stringify(options.config));
  }

  /** Starts it and waits until it says that it is ready. */
  async start(): Promise<void> {
    const child = await this.startOnly();
    await child.waitForLine(/"msg":"ready"/);
  }

  /** Starts it without waiting: for one that is not expected to become ready. */
  async startOnly(flags: readonly string[] = []): Promise<ChildProcess> {
    if (this.running) throw new Error(`${this.name} runs already`);
    const checkout = reachableCheckout();
    this.#process = await ChildProcess.start({
      name: this.name,
      command: checkout.node,
      args: [
        '--enable-source-maps',
        // for example --cpu-prof --cpu-prof-dir=…
        ...(process.env['TIDEMARK_TEST_NODE_ARGUMENTS']?.split(' ') ?? []),
        path.join(checkout.root, 'dist', this.#options.program),
        '--config',
        this.configFile,
        ...flags,
      ],
      directory: this.directory,
      logFile: this.logFile,
      env: this.#options.env ?? {},
    });
    return this.#process;
  }

  get running(): boolean {
    return this.#process !== null && this.#process.exit === null;
  }

  get pid(): number {
    return this.child.pid;
  }

  /** @throws Error if it was never started */
  get child(): ChildProcess {
    if (this.#process === null) throw new Error(`${this.name} was never started`);
    return this.#process;
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGTERM, and waits for its end. */
  async stop(): Promise<ChildExit> {
    return await this.child.stop();
  }

  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  logTail(): string {
    return this.#process?.logTail() ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}

/** The values of `/metrics`: name with labels, as printed, to value. */
export async function readMetrics(address: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(5000) });
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}
