import { spawnSync } from 'node:child_process';
import { ChildProcess } from './child-process.ts';
import { debianProgram } from './debian-packages.ts';
import { freePort } from './free-port.ts';
import { TemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

/** One member. Its data outlives `kill`; `start` brings it back. */
export class EtcdMember {
  readonly name: string;
  readonly clientUrl: string;
  readonly #directory: string;
  readonly #args: readonly string[];
  #process: ChildProcess | null = null;

  constructor(name: string, clientUrl: string, directory: string, args: readonly string[]) {
    this.name = name;
    this.clientUrl = clientUrl;
    this.#directory = directory;
    this.#args = args;
  }

  get running(): boolean {
    return this.#process !== null && this.#process.exit === null;
  }

  /** Does not wait for it to be healthy: that needs a majority. */
  async start(): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs already`);
    this.#process = await ChildProcess.start({
      name: this.name,
      command: etcdProgram(),
      args: this.#args,
      directory: this.#directory,
      env: { ETCD_UNSUPPORTED_ARCH: 'arm64' },
    });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGSTOP. */
  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  async healthy(): Promise<boolean> {
    const response = await fetch(`${this.clientUrl}/health`, { signal: AbortSignal.timeout(2000) });
    const body = (await response.json()) as { health?: unknown };
    return String(body.health) === 'true';
  }

  logTail(): string {
    return this.#process?.logTail() ?? '';
  }
}

/** A real etcd of 1 or 3 members on free ports. Disposing ends and removes it. */
export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly #directory: TemporaryDirectory;

  private constructor(directory: TemporaryDirectory, members: readonly EtcdMember[]) {
    this.#directory = directory;
    this.members = members;
  }

  /** @throws Error that says what to install if there is no etcd */
  static async create(options: { readonly size?: 1 | 3 } = {}): Promise<EtcdCluster> {
    const program = etcdProgram();
    const directory = TemporaryDirectory.createInMemory('etcd');
    const plans = [];
    for (let number = 1; number <= (options.size ?? 1); number++) {
      const clientUrl = `http://127.0.0.1:${await freePort()}`;
      const peerUrl = `http://127.0.0.1:${await freePort()}`;
      plans.push({ name: `etcd-${number}`, clientUrl, peerUrl });
    }
    const initialCluster = plans.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
    const fast = spawnSync(program, ['--help']).stderr.includes('--unsafe-no-fsync');
    const members = plans.map(({ name, clientUrl, peerUrl }) => {
      const data = directory.subdirectory(name, 0o700);
      return new EtcdMember(name, clientUrl, data, [
        `--name=${name}`,
        `--data-dir=${data}/data`,
        `--listen-client-urls=${clientUrl}`,
        `--advertise-client-urls=${clientUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=${initialCluster}`,
        '--initial-cluster-state=new',
        '--heartbeat-interval=100',
        '--election-timeout=1000',
        '--logger=zap',
        ...(fast ? ['--unsafe-no-fsync'] : []),
      ]);
    });
    const cluster = new EtcdCluster(directory, members);
    try {
      await Promise.all(members.map((member) => member.start()));
      await cluster.waitUntilHealthy();
    } catch (error) {
      const logs = members.map((member) => `${member.name}:\n${member.logTail()}`).join('\n');
      await cluster[Symbol.asyncDispose]();
      throw new Error(`etcd did not become healthy. Its log:\n${logs}`, { cause: error });
    }
    return cluster;
  }

  /** Client URLs of all members. */
  get endpoints(): readonly string[] {
    return this.members.map((member) => member.clientUrl);
  }

  /** Until every running member answers. */
  async waitUntilHealthy(timeoutMs = 30_000): Promise<void> {
    await waitFor(
      'etcd is healthy',
      async () => (await Promise.all(this.members.filter((m) => m.running).map((m) => m.healthy()))).every(Boolean),
      { timeoutMs },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await this.#directory[Symbol.asyncDispose]();
  }
}

function etcdProgram(): string {
  return debianProgram('etcd');
}
