import { AgentProcess } from './agent-process.ts';
import { CoordinatorProcess } from './coordinator-process.ts';
import { DisposalStack } from './disposal-stack.ts';
import { EtcdCluster } from './etcd-cluster.ts';
import { PostgresServer, type PostgresOptions } from './postgres-server.ts';
import { TemporaryDirectory } from './temporary-directory.ts';
import { TidemarkCli } from './tidemark-cli.ts';
import { waitFor } from './wait-for.ts';

export interface ClusterOptions {
  /** How many to make, or servers that run already and stay the caller's. Default 3. */
  readonly shards?: number | readonly PostgresServer[];
  /** Default east, west, north. Embedded coordination has one. */
  readonly dataCenters?: readonly string[];
  readonly coordination?: 'etcd' | 'embedded';
  /** Default 1. */
  readonly etcdMembers?: 1 | 3;
  /** Default 2, or 1 with one data centre. */
  readonly copiesRequired?: number;
  readonly snapshotInterval?: string;
  /** Default true; else the caller starts them. */
  readonly startAgents?: boolean;
  readonly postgres?: PostgresOptions;
  readonly agentConfig?: Readonly<Record<string, unknown>>;
  readonly coordinatorConfig?: Readonly<Record<string, unknown>>;
}

/** The parts of `tidemark status --json` that tests look at. */
export interface ClusterStatus {
  readonly leader: { readonly coordinator_id: string; readonly term: number } | null;
  readonly nodes: readonly {
    readonly node: string;
    readonly state: string;
    readonly problem: string;
    readonly acknowledged_lsn: string;
    readonly flush_lsn: string;
    readonly synchronous: string;
    readonly copies: readonly { readonly data_center: string; readonly durable_lsn: string }[];
  }[];
  readonly problems: readonly string[];
}

/** A whole Tidemark cluster: shards of real PostgreSQL, an agent beside each, coordinators, etcd. Disposing ends and removes it. */
export class TidemarkCluster implements AsyncDisposable {
  readonly shards: readonly PostgresServer[];
  readonly agents: readonly AgentProcess[];
  readonly coordinators: readonly CoordinatorProcess[];
  readonly etcd: EtcdCluster | null;
  readonly cli: TidemarkCli;
  readonly directory: TemporaryDirectory;
  readonly #stack: DisposalStack;

  private constructor(
    stack: DisposalStack,
    directory: TemporaryDirectory,
    parts: Pick<TidemarkCluster, 'shards' | 'agents' | 'coordinators' | 'etcd'>,
  ) {
    this.#stack = stack;
    this.directory = directory;
    this.shards = parts.shards;
    this.agents = parts.agents;
    this.coordinators = parts.coordinators;
    this.etcd = parts.etcd;
    this.cli = new TidemarkCli(
      () => this.coordinators.filter((coordinator) => coordinator.running).map(({ address }) => address),
      directory.path,
    );
  }

  /** Starts everything; returns when every process is ready. Nodes are named shard-0, shard-1 … */
  static async create(options: ClusterOptions = {}): Promise<TidemarkCluster> {
    const stack = new DisposalStack();
    try {
      const directory = stack.use(TemporaryDirectory.create('tidemark'));
      const dataCenters = options.dataCenters ?? ['east', 'west', 'north'];
      const coordination = options.coordination ?? 'etcd';
      if (coordination === 'embedded' && dataCenters.length > 1) {
        throw new Error('embedded coordination has one coordinator');
      }
      const [etcd, shards] = await Promise.all([
        coordination === 'etcd' ? EtcdCluster.create({ size: options.etcdMembers ?? 1 }) : null,
        createShards(stack, options),
      ]);
      if (etcd !== null) stack.use(etcd);
      const coordinators: CoordinatorProcess[] = [];
      for (const dataCenter of dataCenters) {
        coordinators.push(
          await CoordinatorProcess.prepare(directory, {
            dataCenter,
            copiesRequired: options.copiesRequired ?? Math.min(2, dataCenters.length),
            ...(etcd === null ? {} : { etcd: etcd.endpoints }),
            ...(options.snapshotInterval === undefined ? {} : { snapshotInterval: options.snapshotInterval }),
            config: { nodes: shards.map(({ name }) => name), ...options.coordinatorConfig },
          }),
        );
      }
      const agents: AgentProcess[] = [];
      for (const postgres of shards) {
        agents.push(
          await AgentProcess.prepare(directory, {
            node: postgres.name,
            postgres,
            coordinators: coordinators.map(({ address }) => address),
            ...(options.agentConfig === undefined ? {} : { config: options.agentConfig }),
          }),
        );
      }
      for (const part of [...agents, ...coordinators]) stack.use(part);
      const started = options.startAgents === false ? coordinators : [...agents, ...coordinators];
      await Promise.all(started.map((part) => part.start()));
      const cluster = new TidemarkCluster(stack, directory, { shards, agents, coordinators, etcd });
      if (options.startAgents !== false) await cluster.waitUntilStreaming();
      return cluster;
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The coordinator that says it leads; waits for one. */
  async leader(timeoutMs = 30_000): Promise<CoordinatorProcess> {
    return await waitFor(
      'a coordinator leads',
      async () => {
        for (const coordinator of this.coordinators.filter(({ running }) => running)) {
          const metrics = await coordinator.metrics().catch(() => null);
          if (metrics?.get('tidemark_leader') === 1) return coordinator;
        }
        return null;
      },
      { timeoutMs },
    );
  }

  /** Until the leader pulls the WAL of every shard. */
  async waitUntilStreaming(timeoutMs = 60_000): Promise<void> {
    const names = this.shards.map(({ name }) => `tidemark_node_streaming{node="${name}"}`);
    await waitFor(
      'every node streams',
      async () => {
        const metrics = await (await this.leader(timeoutMs)).metrics();
        return names.every((name) => metrics.get(name) === 1);
      },
      { timeoutMs },
    );
  }

  async status(): Promise<ClusterStatus> {
    return await this.cli.json<ClusterStatus>(['status']);
  }

  /** What every agent's slot lets go of: the position that the leader acknowledged. */
  async slotPositions(slot = 'tidemark'): Promise<readonly bigint[]> {
    return await Promise.all(
      this.shards.map(async (shard) =>
        BigInt(
          await shard.value(
            `SELECT coalesce((SELECT restart_lsn - '0/0'::pg_lsn FROM pg_replication_slots WHERE slot_name = $1), 0)::text`,
            [slot],
          ),
        ),
      ),
    );
  }

  /** Until everything that the shards have written by now is durable on the required copies. */
  async waitUntilAcknowledged(timeoutMs = 60_000): Promise<void> {
    const wanted = await Promise.all(
      this.shards.map(async (shard) => {
        // the slot moves with what was flushed and reported
        await shard.query('SELECT pg_logical_emit_message(true, $1, $1)', ['tidemark-test']);
        return BigInt(await shard.value(`SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text`));
      }),
    );
    await waitFor(
      'all WAL is acknowledged',
      async () => (await this.slotPositions()).every((position, number) => position >= (wanted[number] ?? 0n)),
      { timeoutMs },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function createShards(stack: DisposalStack, options: ClusterOptions): Promise<PostgresServer[]> {
  if (typeof options.shards === 'object') return [...options.shards];
  const shards: PostgresServer[] = [];
  for (let number = 0; number < (options.shards ?? 3); number++) {
    shards.push(
      stack.use(await PostgresServer.create({ walSegmentSizeMb: 4, ...options.postgres, name: `shard-${number}` })),
    );
  }
  return shards;
}
