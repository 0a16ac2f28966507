import { rm } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from './free-port.ts';
import type { TemporaryDirectory } from './temporary-directory.ts';
import { TidemarkProcess, readMetrics } from './tidemark-process.ts';

export interface CoordinatorOptions {
  readonly cluster?: string;
  /** Its id too. */
  readonly dataCenter: string;
  /** Client URLs; left out: embedded coordination. */
  readonly etcd?: readonly string[];
  /** Default 1. */
  readonly copiesRequired?: number;
  /** Default 10 s. */
  readonly snapshotInterval?: string;
  /** Merged over the configuration's top level. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A coordinator on a free port of its own, which a restart keeps, with its repository. */
export class CoordinatorProcess extends TidemarkProcess {
  readonly dataCenter: string;
  readonly address: string;
  readonly metricsAddress: string;
  readonly repositoryPath: string;

  private constructor(directory: string, ports: { rpc: number; metrics: number }, options: CoordinatorOptions) {
    const address = `127.0.0.1:${ports.rpc}`;
    const metricsAddress = `127.0.0.1:${ports.metrics}`;
    const repositoryPath = path.join(directory, 'repository');
    super({
      name: `coordinator ${options.dataCenter}`,
      program: 'coordinator/main.js',
      directory,
      config: {
        cluster: options.cluster ?? 'test',
        id: options.dataCenter,
        data_center: options.dataCenter,
        listen: address,
        repository: { path: repositoryPath },
        copies: { required: options.copiesRequired ?? 1 },
        snapshots: { interval: options.snapshotInterval ?? '10s' },
        coordination:
          options.etcd === undefined
            ? { kind: 'embedded', directory: path.join(directory, 'coordination') }
            : // A short time, so that a takeover does not hold up the test.
              { kind: 'etcd', endpoints: options.etcd, lease_ttl: '5s' },
        metrics: { listen: metricsAddress },
        ...options.config,
      },
    });
    this.dataCenter = options.dataCenter;
    this.address = address;
    this.metricsAddress = metricsAddress;
    this.repositoryPath = repositoryPath;
  }

  /** Its directory is made in `parent`; its first start makes its repository. Not started yet. */
  static async prepare(parent: TemporaryDirectory, options: CoordinatorOptions): Promise<CoordinatorProcess> {
    const ports = { rpc: await freePort(), metrics: await freePort() };
    return new CoordinatorProcess(parent.subdirectory(`coordinator-${options.dataCenter}`), ports, options);
  }

  async metrics(): Promise<ReadonlyMap<string, number>> {
    return await readMetrics(this.metricsAddress);
  }

  /** Removes the copy that it keeps; it must not run. */
  async destroyRepository(): Promise<void> {
    if (this.running) throw new Error(`${this.name} still runs`);
    await rm(this.repositoryPath, { recursive: true, force: true });
  }
}
