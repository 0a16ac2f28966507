import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ShardAddress } from '../support/bank/bank-schema.ts';
import { runToEnd } from '../support/child-process.ts';
import { debianProgram } from '../support/debian-packages.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const TIMEOUT_MS = 120_000;

/** Several servers, each backed up by pgBackRest on its own, as one does who has no other tool. Disposing removes the backups. */
export class BackrestCluster implements AsyncDisposable {
  readonly #directory: TemporaryDirectory;
  readonly #servers: readonly PostgresServer[];

  private constructor(directory: TemporaryDirectory, servers: readonly PostgresServer[]) {
    this.#directory = directory;
    this.#servers = servers;
  }

  /** Has the servers archive their WAL from now on; they must run with `archive_mode = on`. */
  static async create(servers: readonly PostgresServer[]): Promise<BackrestCluster> {
    const directory = TemporaryDirectory.create('backrest');
    for (const name of ['repo', 'log', 'lock', 'spool']) directory.subdirectory(name);
    const stanzas = servers.map(
      (server) => `[${server.name}]
pg1-path=${server.dataDirectory}
pg1-socket-path=${server.socketDirectory}
pg1-port=${server.port}
pg1-user=postgres
`,
    );
    writeFileSync(
      path.join(directory.path, 'pgbackrest.conf'),
      `[global]
repo1-path=${directory.path}/repo
log-path=${directory.path}/log
lock-path=${directory.path}/lock
spool-path=${directory.path}/spool
log-level-console=warn
log-level-file=off
compress-type=zst
start-fast=y
${stanzas.join('')}`,
    );
    const cluster = new BackrestCluster(directory, servers);
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

  #common(server: PostgresServer): string[] {
    return [`--config=${this.#directory.path}/pgbackrest.conf`, `--stanza=${server.name}`];
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
