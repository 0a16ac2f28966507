import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { ZstdPool } from '../../../shared/compression/zstd-pool.ts';
import type { PrepareRequest } from '../../../shared/cluster-restore/restore-target.ts';
import { parseLsn } from '../../../shared/postgres/lsn.ts';
import { segmentStart } from '../../../shared/postgres/wal-segment.ts';
import { openChannel, type Channel } from '../../../shared/rpc/channel.ts';
import { RestoreTargetClient } from '../../../shared/rpc/restore-target-client.ts';
import { AgentProcess } from '../../support/agent-process.ts';
import { ChildProcess, runToEnd } from '../../support/child-process.ts';
import { freePort } from '../../support/free-port.ts';
import { insertLsn, lastRecordBefore, NodeCopy } from '../../support/node-copy.ts';
import { clientProgram, POSTGRES_MAJORS } from '../../support/postgres-binaries.ts';
import { postmasterPort, PostgresServer } from '../../support/postgres-server.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';

const never = new AbortController().signal;

/** What must be the same in the restored server. */
const STATE_SQL = `SELECT json_build_object(
  'accounts', (SELECT sum(abalance) FROM pgbench_accounts), 'tellers', (SELECT sum(tbalance) FROM pgbench_tellers),
  'branches', (SELECT sum(bbalance) FROM pgbench_branches), 'history', (SELECT sum(delta) FROM pgbench_history),
  'entries', (SELECT count(*) FROM pgbench_history), 'elsewhere', (SELECT count(*) FROM elsewhere),
  'hash', (SELECT md5(string_agg(aid || ':' || abalance, ',' ORDER BY aid)) FROM pgbench_accounts))::text`;

async function drain(steps: AsyncIterable<unknown>): Promise<void> {
  for await (const _step of steps);
}

for (const major of POSTGRES_MAJORS) {
  describe(`base backup under load and restore, PostgreSQL ${major}`, function () {
    this.timeout(240_000);
    let directory: TemporaryDirectory;
    let server: PostgresServer;
    let source: AgentProcess;
    let host: AgentProcess;
    let channel: Channel;
    let target: RestoreTargetClient;
    let zstd: ZstdPool;
    let copy: NodeCopy;
    let request: PrepareRequest;
    let expected: string;
    let oid: string;

    const program = (name: string): string => {
      const file = clientProgram(name);
      assert(file !== null, `${name} is not installed`);
      return file;
    };
    const load = async (args: readonly string[]): Promise<void> => {
      const { host: socket, port, user, database } = server.connection;
      await runToEnd({
        name: 'pgbench',
        command: program('pgbench'),
        args: ['-h', socket, '-p', String(port), '-U', user, ...args, database],
        directory: directory.path,
      });
    };

    before(async () => {
      directory = TemporaryDirectory.create('backup');
      zstd = new ZstdPool({ workers: 2, level: 1 });
      server = await PostgresServer.create({ major, settings: { max_wal_size: "'4GB'", wal_keep_size: "'4GB'" } });
      const location = directory.subdirectory('tablespace', 0o700);
      await server.query(`CREATE TABLESPACE fast LOCATION '${location}'`);
      oid = await server.value("SELECT oid::text FROM pg_tablespace WHERE spcname = 'fast'");
      await load(['-i', '-q', '-s', '8']);
      await server.query('CREATE TABLE elsewhere (n bigint, t text) TABLESPACE fast');
      await server.query('CREATE UNLOGGED TABLE forgotten (n bigint)');
      await server.query('CREATE TABLE emptied AS SELECT n FROM generate_series(1, 300000) n');
      await server.query('INSERT INTO forgotten SELECT generate_series(1, 100000)');
      source = await AgentProcess.prepare(directory, { node: 'a', postgres: server });
      await source.start();
      host = await AgentProcess.prepare(directory, { node: 'target', binDirectory: server.binDirectory });
      await host.start();
      channel = openChannel(host.address);
      target = new RestoreTargetClient('a', channel);
      copy = await NodeCopy.create(directory.subdirectory('repository'), source, zstd);
    });

    after(async () => {
      channel?.close();
      await target?.abandon('r1', never).catch(() => {});
      await host?.[Symbol.asyncDispose]();
      await source?.[Symbol.asyncDispose]();
      await copy?.repository.close();
      await zstd?.close();
      await server?.[Symbol.asyncDispose]();
      await directory?.[Symbol.asyncDispose]();
    });

    it('takes the backup while everything is written to', async () => {
      const pgbench = await ChildProcess.start({
        name: 'pgbench',
        command: program('pgbench'),
        args: [
          '-h',
          server.socketDirectory,
          '-p',
          String(server.port),
          '-U',
          'postgres',
          '-T',
          '60',
          '-c',
          '3',
          'postgres',
        ],
        directory: directory.path,
      });
      const beginning = await insertLsn(server);
      const churning = new AbortController();
      const churn = (async () => {
        const client = await server.connect();
        try {
          await client.query('CREATE TEMPORARY TABLE passing AS SELECT n FROM generate_series(1, 100000) n');
          await client.query('TRUNCATE emptied');
          for (let round = 0; !churning.signal.aborted; round++) {
            await client.query(`CREATE TABLE vanishing${round} AS SELECT n FROM generate_series(1, 20000) n`);
            await client.query(
              'INSERT INTO elsewhere SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 1000) n',
            );
            await client.query('VACUUM pgbench_tellers');
            await client.query(`DROP TABLE vanishing${round}`);
          }
        } finally {
          await client.end();
        }
      })();
      const backup = await copy.backUp('b1');
      churning.abort();
      await churn;
      await pgbench.stop('SIGINT');
      assert.deepEqual(backup.badFiles, []);
      assert(backup.pagesVerified > 10_000, String(backup.pagesVerified));
      assert(backup.startLsn >= beginning && backup.stopLsn > backup.startLsn);

      // The cut: three branches are prepared before it; one is finished and more is committed behind it.
      for (const gid of ['keep', "it's gone", 'later']) {
        const client = await server.connect();
        await client.query('BEGIN');
        await client.query('INSERT INTO elsewhere VALUES (-1, $1)', [gid]);
        await client.query(`PREPARE TRANSACTION '${gid.replaceAll("'", "''")}'`);
        await client.end();
      }
      const prepared = await server.query<{ gid: string; xid: string; oid: string }>(
        'SELECT gid, transaction::text AS xid, d.oid::text FROM pg_prepared_xacts JOIN pg_database d ON datname = database',
      );
      expected = await server.value(STATE_SQL);
      const cut = await insertLsn(server);
      await server.query("COMMIT PREPARED 'later'");
      await server.query('UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid < 100');
      const targetLsn = lastRecordBefore(server, copy, backup.startLsn, cut);
      const end = await insertLsn(server);
      await copy.copyWal(server, backup.startLsn, end);
      request = {
        restoreId: 'r1',
        stream: copy.stream,
        backupId: 'b1',
        targetLsn,
        walFromLsn: segmentStart(backup.startLsn, copy.segmentBytes),
        walEndLsn: end,
        walSegmentBytes: copy.segmentBytes,
        directory: path.join(directory.path, 'restored'),
        port: await freePort(),
        source: { kind: 'repository', path: copy.path },
        tablespaceDirectories: { [oid]: path.join(directory.path, 'restored-fast') },
        expectedInDoubt: prepared.map(({ gid, xid, oid }) => ({
          node: 'a',
          gid,
          xid: Number(xid),
          databaseOid: Number(oid),
          prepareLsn: parseLsn('0/1'),
          preparedAtUs: 0n,
          decision: gid === 'keep' ? 'commit' : 'rollback',
        })),
        settings: { shared_buffers: '32MB', unix_socket_directories: directory.path },
      };
    });

    it('leaves out what nobody needs', async () => {
      await drain(target.prepare(request, never));
      const at = (name: string) => path.join(request.directory, name);
      for (const name of ['postmaster.pid', 'postmaster.opts']) assert(!existsSync(at(name)), name);
      const forgotten: string = await server.value("SELECT pg_relation_filepath('forgotten')");
      assert(existsSync(at(`${forgotten}_init`)) && !existsSync(at(forgotten)));
      const base = readdirSync(at('base'), { recursive: true }).map(String);
      assert.deepEqual(
        base.filter((name) => /\/t\d+_\d+|pgsql_tmp|pg_internal/.test(name)),
        [],
      );
      assert.equal(statSync(request.directory).mode & 0o777, 0o700);
      assert.equal(statSync(at('PG_VERSION')).mode & 0o777, 0o600);
    });

    it('stops exactly at the cut, behind a fence', async () => {
      await drain(target.startFenced('r1', never));
      const pid = readFileSync(path.join(request.directory, 'postmaster.pid'), 'utf8').split('\n');
      assert.equal(pid[5], '', 'it listens on no address');
      assert.equal(statSync(pid[4]!).mode & 0o777, 0o700);
      // Given again, it is a look at what is there.
      await drain(target.startFenced('r1', never));
    });

    it('goes on after the agent and the fenced server were killed', async () => {
      await host.kill();
      process.kill(
        Number(readFileSync(path.join(request.directory, 'postmaster.pid'), 'utf8').split('\n')[0]),
        'SIGKILL',
      );
      await host.start();
      await drain(target.prepare(request, never));
      await drain(target.startFenced('r1', never));
    });

    it('predicts what is prepared, and resolves nothing if it was predicted wrong', async () => {
      const { prepared, replayLsn } = await target.promote('r1', never);
      assert(replayLsn > request.targetLsn && replayLsn <= request.walEndLsn);
      assert.deepEqual(prepared.map(({ gid }) => gid).sort(), ["it's gone", 'keep', 'later']);
      const [first, ...others] = request.expectedInDoubt;
      for (const wrong of [
        others,
        [...others, { ...first!, xid: first!.xid + 1 }],
        [...request.expectedInDoubt, { ...first!, gid: 'x' }],
      ]) {
        await assert.rejects(target.resolve('r1', wrong, never), { code: 'TM-RESTORE-005' });
      }
      assert.equal((await target.promote('r1', never)).prepared.length, 3);
      assert.deepEqual(await target.resolve('r1', request.expectedInDoubt, never), { committed: 1, rolledBack: 2 });
      assert.deepEqual(await target.resolve('r1', request.expectedInDoubt, never), { committed: 1, rolledBack: 2 });
    });

    it('checks what it is asked to check', async () => {
      const failures = await target.check(
        'r1',
        [
          'SELECT count(*) = 1 FROM elsewhere WHERE n = -1',
          'template1: SELECT 1 = 1',
          'SELECT false',
          'SELECT nonsense',
        ],
        never,
      );
      assert.equal(failures.length, 2);
      assert.match(failures[0]!, /SELECT false/);
    });

    it('opens with the data of the cut, clean in every page and index', async () => {
      const { port } = await target.open('r1', never);
      assert.equal(port, request.port);
      assert.equal(postmasterPort(request.directory), request.port);
      const connection = { host: directory.path, port, user: 'postgres', database: 'postgres' };
      const client = new Client(connection);
      await client.connect();
      try {
        const value = async (sql: string) =>
          Object.values((await client.query<Record<string, string>>(sql)).rows[0]!)[0];
        const now = JSON.parse((await value(STATE_SQL))!) as Record<string, number>;
        const then = JSON.parse(expected) as Record<string, number>;
        assert.deepEqual(now, { ...then, elsewhere: then['elsewhere']! + 1 });
        assert.equal(await value('SELECT count(*)::text FROM forgotten'), '0');
        assert.equal(await value('SELECT count(*)::text FROM emptied'), '0');
        assert.equal(await value('SELECT count(*)::text FROM pg_prepared_xacts'), '0');
        assert.equal(await value("SELECT setting FROM pg_settings WHERE name = 'archive_mode'"), 'off');
        assert.equal(await value("SELECT setting FROM pg_settings WHERE name = 'recovery_target_lsn'"), '');
        await client.query('CREATE EXTENSION amcheck');
        const location = await value(`SELECT pg_tablespace_location(${oid})`);
        assert.equal(location, request.tablespaceDirectories[oid]);
      } finally {
        await client.end();
      }
      const output = await runToEnd({
        name: 'pg_amcheck',
        command: program('pg_amcheck'),
        args: ['-h', directory.path, '-p', String(port), '-U', 'postgres', '--heapallindexed', '-d', 'postgres'],
        directory: directory.path,
      });
      assert.equal(output, '');
      process.kill(
        Number(readFileSync(path.join(request.directory, 'postmaster.pid'), 'utf8').split('\n')[0]),
        'SIGINT',
      );
    });
  });
}
