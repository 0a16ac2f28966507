import { freePort } from './free-port.ts';
import type { PostgresServer } from './postgres-server.ts';
import type { TemporaryDirectory } from './temporary-directory.ts';
import { TidemarkProcess, readMetrics } from './tidemark-process.ts';

export interface AgentOptions {
  readonly cluster?: string;
  readonly node: string;
  /** host:port of coordinators. */
  readonly coordinators?: readonly string[];
  /** Left out: an agent that only serves as the target of restores. */
  readonly postgres?: PostgresServer;
  /** Of the PostgreSQL that restores start; needed where `postgres` is left out. */
  readonly binDirectory?: string;
  /** Merged over the configuration's top level. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** An agent on a free port of its own, which a restart keeps. */
export class AgentProcess extends TidemarkProcess {
  readonly node: string;
  readonly address: string;
  readonly metricsAddress: string;

  private constructor(directory: string, ports: { rpc: number; metrics: number }, options: AgentOptions) {
    const { postgres, node } = options;
    const address = `127.0.0.1:${ports.rpc}`;
    const metricsAddress = `127.0.0.1:${ports.metrics}`;
    const binDirectory = options.binDirectory ?? postgres?.binDirectory;
    super({
      name: `agent ${node}`,
      program: 'agent/main.js',
      directory,
      config: {
        cluster: options.cluster ?? 'test',
        node,
        listen: address,
        coordinators: options.coordinators ?? [],
        state_directory: `${directory}/state`,
        ...(postgres === undefined ? { restore_only: true } : {}),
        postgres: {
          ...(postgres === undefined ? {} : { host: postgres.socketDirectory, port: postgres.port }),
          ...(binDirectory === undefined ? {} : { bin_directory: binDirectory }),
        },
        metrics: { listen: metricsAddress },
        ...options.config,
      },
    });
    this.node = node;
    this.address = address;
    this.metricsAddress = metricsAddress;
  }

  /** Its directory is made in `parent`. Not started yet. */
  static async prepare(parent: TemporaryDirectory, options: AgentOptions): Promise<AgentProcess> {
    const ports = { rpc: await freePort(), metrics: await freePort() };
    const directory = parent.subdirectory(`agent-${options.node}-${ports.rpc}`);
    return new AgentProcess(directory, ports, options);
  }

  async metrics(): Promise<ReadonlyMap<string, number>> {
    return await readMetrics(this.metricsAddress);
  }
}
