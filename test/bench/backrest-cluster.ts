import type { ShardAddress } from '../support/bank/bank-schema.ts';
import { runToEnd } from '../support/child-process.ts';
import { debianProgram } from '../support/debian-packages.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { configureBackrest } from './backrest-configuration.ts';

const TIMEOUT_MS = 120_000;

/** Several servers, each backed up by pgBackRest on its own, as one does who has no other tool. Disposing removes the backups. */
export class BackrestCluster implements AsyncDisposable {
  readonly #directory: TemporaryDirectory;
  readonly #servers: readonly PostgresServer[];
  readonly #common: (server: PostgresServer) => string[];

  private constructor(
    directory: TemporaryDirectory,
    servers: readonly PostgresServer[],
    common: (server: PostgresServer) => string[],
  ) {
    this.#directory = directory;
    this.#servers = servers;
    this.#common = common;
  }

  /** Has the servers archive their WAL from now on; they must run with `archive_mode = on`. */
  static async create(servers: readonly PostgresServer[]): Promise<BackrestCluster> {
    const directory = TemporaryDirectory.create('backrest');
    const cluster = new BackrestCluster(directory, servers, configureBackrest(directory, servers));
    for (const server of servers) {
      await cluster.#run(server, ['stanza-create']);
      const push = `${debianProgram('pgbackrest')} ${cluster.#common(server).join(' ')} archive-push %p`;
      server.configure({ archive_command: `'${push}'` });
      await server.query('SELECT pg_reload_conf()');
    }
    return cluster;
  }

  async backUp(): Promise<void> {
    for (const server of this.#servers) await this.#run(server, ['--type=full', 'backup']);
  }

  /** Until everything that was written by now is archived. */
  async waitForArchive(): Promise<void> {
    for (const server of this.#servers) {
      const segment = await server.value('SELECT pg_walfile_name(pg_switch_wal())');
      await waitFor(
        `${server.name} has archived ${segment}`,
        async () =>
          await server.value<boolean>('SELECT coalesce(last_archived_wal >= $1, false) FROM pg_stat_archiver', [
            segment,
          ]),
        { timeoutMs: TIMEOUT_MS },
      );
    }
  }

  /** Every server restored to the same wall time, each by its own clock, and opened. The stack ends and removes them. */
  async restore(atMs: number, stack: DisposalStack): Promise<ShardAddress[]> {
    const hosts = stack.use(TemporaryDirectory.create('restored'));
    const target = new Date(atMs).toISOString().replace('T', ' ').replace('Z', '+00');
    return await Promise.all(
      this.#servers.map(async (server) => {
        const directory = hosts.subdirectory(server.name);
        await this.#run(server, [
          `--pg1-path=${directory}`,
          '--type=time',
          `--target=${target}`,
          '--target-action=promote',
          'restore',
        ]);
        const restored = stack.use(
          await PostgresServer.adopt(directory, {
            major: server.major,
            name: `${server.name}-restored`,
            settings: { archive_mode: 'off' },
          }),
        );
        await restored.start();
        await waitFor('it is open', async () => !(await restored.value<boolean>('SELECT pg_is_in_recovery()')), {
          timeoutMs: TIMEOUT_MS,
        });
        return { host: '127.0.0.1', port: restored.port };
      }),
    );
  }

  async #run(server: PostgresServer, args: readonly string[]): Promise<void> {
    await runToEnd(
      {
        name: `pgbackrest ${args.at(-1)} of ${server.name}`,
        command: debianProgram('pgbackrest'),
        directory: this.#directory.path,
        args: [...this.#common(server), ...args],
      },
      TIMEOUT_MS,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}
