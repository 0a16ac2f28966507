import path from 'node:path';
import { AgentProcess } from './agent-process.ts';
import { bankProblems, inspectBank, type BankReport } from './bank/bank-check.ts';
import type { BankLayout, ShardAddress } from './bank/bank-schema.ts';
import type { TidemarkCluster } from './cluster.ts';
import { DisposalStack } from './disposal-stack.ts';
import { freePort } from './free-port.ts';
import type { PostgresServer } from './postgres-server.ts';
import { TemporaryDirectory } from './temporary-directory.ts';
import { TidemarkCli } from './tidemark-cli.ts';

const RESTORE_TIMEOUT_MS = 150_000;

/** The parts of a snapshot's JSON that tests look at. */
export interface SnapshotJson {
  readonly id: string;
  /** RFC 3339. */
  readonly time: string;
  readonly class: { readonly kind: 'causal' | 'bounded'; readonly bound_us?: number };
  /** RFC 3339. */
  readonly causal_before?: string;
  readonly complete: boolean;
  readonly restorable: boolean;
  readonly in_doubt: readonly { readonly node: string; readonly gid: string; readonly decision: string }[];
  readonly data_centers: readonly string[];
}

/** What `tidemark restore --json` ends with. */
export interface RestoreJson {
  readonly snapshot: SnapshotJson;
  readonly duration_ms: number;
  readonly nodes: readonly {
    readonly node: string;
    readonly port: number;
    readonly in_doubt_committed: number;
    readonly in_doubt_rolled_back: number;
  }[];
}

/** A snapshot's id, `latest`, or a time in RFC 3339. */
export type RestoreTo = string | { readonly time: string };

function restoreToArguments(to: RestoreTo): string[] {
  return typeof to === 'string' ? ['--snapshot', to] : ['--time', to.time];
}

/** PostgreSQL servers that a restore has opened, on ports and in directories of the test's own. Disposing ends and removes them. */
export class RestoredCluster implements AsyncDisposable {
  readonly report: RestoreJson;
  readonly shards: readonly ShardAddress[];
  readonly #stack: DisposalStack;

  private constructor(stack: DisposalStack, report: RestoreJson, shards: readonly ShardAddress[]) {
    this.#stack = stack;
    this.report = report;
    this.shards = shards;
  }

  /** `tidemark restore`: on new hosts, each with an agent that only restores. */
  static async fromCoordinators(cluster: TidemarkCluster, to: RestoreTo = 'latest'): Promise<RestoredCluster> {
    return await RestoredCluster.#restore(cluster.shards, async (stack, hosts) => {
      const targets: string[] = [];
      const shards: ShardAddress[] = [];
      for (const { name, binDirectory } of cluster.shards) {
        const agent = stack.use(await AgentProcess.prepare(hosts, { node: name, binDirectory }));
        const port = await freePort();
        await agent.start();
        targets.push('--target', `${name}=${agent.address}:${path.join(hosts.path, `${name}-data`)}:${port}`);
        shards.push({ host: '127.0.0.1', port });
      }
      const args = ['restore', ...restoreToArguments(to), ...targets];
      return { shards, report: await cluster.cli.json<RestoreJson>(args, RESTORE_TIMEOUT_MS) };
    });
  }

  /** `tidemark repository restore`: from a directory alone; no coordinator is asked. */
  static async fromRepository(
    servers: readonly PostgresServer[],
    repositoryPath: string,
    to: RestoreTo = 'latest',
  ): Promise<RestoredCluster> {
    return await RestoredCluster.#restore(servers, async (_stack, hosts) => {
      const targets: string[] = [];
      const shards: ShardAddress[] = [];
      for (const { name } of servers) {
        const port = await freePort();
        targets.push('--target', `${name}=${path.join(hosts.path, `${name}-data`)}:${port}`);
        shards.push({ host: '127.0.0.1', port });
      }
      const cli = new TidemarkCli(() => [], hosts.path);
      const binDirectory = servers[0]?.binDirectory ?? '';
      const args = ['repository', 'restore', '--path', repositoryPath, ...restoreToArguments(to), ...targets];
      return {
        shards,
        report: await cli.json<RestoreJson>([...args, '--bin-directory', binDirectory], RESTORE_TIMEOUT_MS),
      };
    });
  }

  static async #restore(
    servers: readonly PostgresServer[],
    run: (
      stack: DisposalStack,
      hosts: TemporaryDirectory,
    ) => Promise<{ shards: readonly ShardAddress[]; report: RestoreJson }>,
  ): Promise<RestoredCluster> {
    if (servers.length === 0) throw new Error('nothing to restore');
    const stack = new DisposalStack();
    try {
      const hosts = stack.use(TemporaryDirectory.create('restored'));
      const { shards, report } = await run(stack, hosts);
      return new RestoredCluster(stack, report, shards);
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** How many branches the restore committed or rolled back. */
  get resolvedBranches(): number {
    return this.report.nodes.reduce((sum, node) => sum + node.in_doubt_committed + node.in_doubt_rolled_back, 0);
  }

  /** Reads the bank on the restored servers. @throws Error if it is not whole */
  async inspectBank(accounts: number): Promise<BankReport> {
    const layout: BankLayout = { accounts, shards: this.shards };
    const report = await inspectBank(layout);
    const problems = bankProblems(report, orderBoundMs(this.report.snapshot));
    if (problems.length > 0) throw new Error(`the restored bank is not whole: ${problems.join('; ')}`);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** Within which a snapshot may reorder transactions that share no two-phase commit. */
export function orderBoundMs(snapshot: SnapshotJson): number {
  return (snapshot.class.bound_us ?? 0) / 1000;
}
