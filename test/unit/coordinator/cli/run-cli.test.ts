import assert from 'node:assert/strict';
import type { CommandSpec } from '../../../../coordinator/cli/command.ts';
import { COMMANDS } from '../../../../coordinator/cli/commands.ts';
import { runCli } from '../../../../coordinator/cli/run-cli.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import type { SnapshotSummary } from '../../../../shared/admin/snapshot.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { snapshotToMessage } from '../../../../shared/rpc/admin-codec.ts';
import { statusToMessage } from '../../../../shared/rpc/status-codec.ts';
import { serverStreamHandler, unaryHandler } from '../../../../shared/rpc/handlers.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../../shared/rpc/server.ts';
import type { ListSnapshotsRequest__Output } from '../../../../shared/rpc/generated/tidemark/v1/ListSnapshotsRequest.ts';
import type { RestoreRequest__Output } from '../../../../shared/rpc/generated/tidemark/v1/RestoreRequest.ts';

async function run(
  args: readonly string[],
  { environment = {}, commands }: { environment?: Record<string, string>; commands?: readonly CommandSpec[] } = {},
) {
  const written = { out: '', err: '' };
  const code = await runCli({
    args,
    environment,
    stdout: { write: (text) => (written.out += text) },
    stderr: { write: (text) => (written.err += text) },
    clock: { ...systemClock, sleep: async () => {} },
    signal: new AbortController().signal,
    ...(commands === undefined ? {} : { commands }),
  });
  return { code, ...written };
}

describe('command line', () => {
  it('has a help for every command', async () => {
    const { code, out } = await run(['--help']);
    assert.equal(code, 0);
    for (const { path, summary } of COMMANDS) {
      assert.ok(out.includes(path.split(' ')[0] ?? ''));
      const help = await run([...path.split(' '), '--help']);
      assert.equal(help.code, 0, path);
      assert.ok(help.out.replaceAll(/\s+/g, ' ').includes(summary), path);
      assert.match(help.out, /--json/);
    }
  });

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /no command is named/],
    [['backup'], /One of: backup create, backup list, backup show/],
    [['statsu'], /Did you mean status\?/],
    [['snapshot', 'show'], /missing required argument 'id'/],
    [['snapshot', 'show', 'a', 'b'], /too many arguments/],
    [['status', '--wtach'], /unknown option '--wtach'/],
    [['backup', 'create', '--type', 'partial'], /Allowed choices are full/],
    [['restore'], /required option '--target <target>'/],
    [['restore', '--target', 'nonsense'], /NODE=AGENT:DIR/],
    [['status', '--coordinator', 'nonsense'], /is not an address/],
    [['status', '--tls-ca', 'x'], /TLS needs all/],
    [['snapshot', 'list', '--limit', 'many'], /not a count/],
  ];
  for (const [args, message] of wrong) {
    it(`refuses "${args.join(' ')}" with exit code 2`, async () => {
      const { code, out, err } = await run(args);
      assert.equal(code, 2);
      assert.equal(out, '');
      assert.match(err, message);
      assert.match(err, /\(TM-USAGE-001\)\nhint: .+\n$/);
    });
  }

  it('gives errors as JSON when asked', async () => {
    const { code, err } = await run(['statsu', '--json']);
    assert.equal(code, 2);
    const { error } = JSON.parse(err) as { error: Record<string, unknown> };
    assert.deepEqual(Object.keys(error), ['code', 'message', 'hint', 'retryable']);
  });

  it('exits with the code of the error', async () => {
    for (const [code, exitCode] of [
      ['TM-SNAP-001', 1],
      ['TM-CONFIG-001', 2],
      ['TM-LEAD-001', 3],
      ['TM-REPO-003', 4],
    ] as const) {
      const failing: CommandSpec = {
        path: 'fail',
        summary: 'fails',
        run: async () => Promise.reject(new TidemarkError(code, 'as told')),
      };
      assert.equal((await run(['fail'], { commands: [failing] })).code, exitCode);
    }
  });

  it('says that no coordinator can be reached, with exit code 3', async () => {
    const { code, err } = await run(['status', '--coordinator', '127.0.0.1:1,127.0.0.1:2']);
    assert.equal(code, 3);
    assert.match(err, /127\.0\.0\.1:1 .*127\.0\.0\.1:2 .*\(TM-RPC-001\)/);
  });
});

describe('commands with a coordinator', () => {
  const snapshot: SnapshotSummary = {
    id: '20261122T121530123Z-0001',
    timeUs: 1_795_263_330_123_000n,
    label: 'nightly',
    class: { kind: 'bounded', boundUs: 900 },
    complete: true,
    cut: [{ node: 'shard-1', systemIdentifier: '7', timeline: 1, targetLsn: lsn(0x300_0028n) }],
    inDoubt: [],
    dataCenters: ['east', 'west'],
    restorable: true,
  };
  const requests: unknown[] = [];
  /** What GetStatus answers, one after the other: a cluster's name, or an error. */
  const statuses: (string | TidemarkError)[] = [];
  let server: RpcServer;
  let coordinator: string;

  before(async () => {
    server = new RpcServer();
    const refuse = unaryHandler(async () => Promise.reject(new TidemarkError('TM-INTERNAL-001', 'not expected')));
    server.addService(protocol.Admin.service, {
      GetStatus: unaryHandler(async () => {
        const answer = statuses.shift() ?? new TidemarkError('TM-USAGE-001', 'the end of this test');
        if (answer instanceof TidemarkError) throw answer;
        return statusToMessage({
          cluster: answer,
          state: 'ok',
          problems: [],
          leader: null,
          coordinators: [],
          nodes: [],
          lastSnapshot: null,
          copiesRequired: 1,
          recoverable: null,
          coordination: 'embedded',
          coordinationReachable: true,
          transactions: { broken: [], longPrepared: [] },
        });
      }),
      CreateBackup: serverStreamHandler(async function* () {
        yield { progress: { phase: 'files', node: 'shard-1', bytesDone: 1, bytesTotal: 2 } };
        throw new TidemarkError('TM-BACKUP-001', 'node shard-1: the disk is full', { hint: 'Make room.' });
      }),
      ListBackups: refuse,
      GetBackup: refuse,
      CreateSnapshot: refuse,
      ListSnapshots: unaryHandler(async (request: ListSnapshotsRequest__Output) => {
        requests.push(request);
        return { snapshots: [snapshotToMessage(snapshot)] };
      }),
      GetSnapshot: refuse,
      PlanRestore: unaryHandler(async (request: RestoreRequest__Output) => {
        requests.push(request);
        return {
          snapshot: snapshotToMessage(snapshot),
          nodes: [{ node: 'shard-1', backupId: 'b1', backupBytes: 1024 }],
        };
      }),
      Restore: serverStreamHandler(async function* (request: RestoreRequest__Output) {
        requests.push(request);
        yield { progress: { phase: 'files', node: 'shard-1' } };
        yield {
          report: {
            restoreId: 'r',
            snapshot: snapshotToMessage(snapshot),
            nodes: [{ node: 'shard-1', port: 5433 }],
            durationMs: 4200,
          },
        };
      }),
      GetLeader: unaryHandler(async () => ({ coordinatorId: 'c1', dataCenter: 'east', address: 'a:1', term: 7 })),
      ResignLeader: refuse,
    });
    coordinator = await server.listen('127.0.0.1:0');
  });

  beforeEach(() => {
    requests.length = 0;
  });

  after(async () => {
    await server.stop(100);
  });

  const ask = (...args: string[]) => run(args, { environment: { TIDEMARK_COORDINATOR: `127.0.0.1:1,${coordinator}` } });

  it('takes the first coordinator that answers', async () => {
    const { code, out } = await ask('leader', 'show');
    assert.equal(code, 0);
    assert.equal(out, 'leader       c1\ndata centre  east\naddress      a:1\nterm         7\n');
  });

  it('watches on over a failure that passes', async () => {
    statuses.push('first', new TidemarkError('TM-LEAD-001', 'an election'), 'second');
    const { code, out, err } = await ask('status', '--watch', '--json');
    assert.deepEqual(
      out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { cluster: string }).cluster),
      ['first', 'second'],
    );
    assert.match(err, /TM-LEAD-001.*\n.*TM-USAGE-001/);
    assert.equal(code, 2);
  });

  it('lists snapshots as a table and as JSON', async () => {
    const table = await ask('snapshot', 'list', '--limit', '3');
    assert.match(
      table.out,
      /^SNAPSHOT +TIME +CLASS .*\n20261122T121530123Z-0001 .* bounded \(900 µs\) +yes +yes .* nightly\n$/,
    );
    assert.equal((requests[0] as ListSnapshotsRequest__Output).limit, 3);
    const json = JSON.parse((await ask('snapshot', 'list', '--json')).out) as { snapshots: Record<string, unknown>[] };
    assert.equal(json.snapshots[0]?.['id'], snapshot.id);
    assert.deepEqual(json.snapshots[0]['cut'], [
      { node: 'shard-1', system_identifier: '7', timeline: 1, target_lsn: '0/3000028' },
    ]);
  });

  it('gives a failure that comes in the middle of work', async () => {
    const { code, out, err } = await ask('backup', 'create', '--node', 'shard-1');
    assert.equal(code, 1);
    assert.equal(out, '');
    assert.equal(err, 'tidemark: node shard-1: the disk is full (TM-BACKUP-001)\nhint: Make room.\n');
  });

  const target = ['--target', 'shard-1=10.0.0.7:7401:/srv/new:5433'];

  it('plans a restore', async () => {
    const { code, out } = await ask(
      'restore',
      ...target,
      '--dry-run',
      '--pause',
      '--set',
      'a=b',
      '--assert',
      'SELECT true',
    );
    assert.equal(code, 0);
    assert.match(out, /b1 +1\.00 KiB/);
    const request = requests[0] as RestoreRequest__Output;
    assert.equal(request.snapshotId, 'latest');
    assert.equal(request.pause, true);
    assert.deepEqual({ ...request.settings }, { a: 'b' });
    assert.deepEqual(request.assertions, ['SELECT true']);
    assert.deepEqual(structuredClone(request.targets), [
      { node: 'shard-1', agentAddress: '10.0.0.7:7401', directory: '/srv/new', port: 5433, tablespaceDirectories: {} },
    ]);
  });

  it('restores and reports', async () => {
    const { code, out } = await ask('restore', ...target, '--snapshot', snapshot.id, '--json');
    assert.equal(code, 0);
    const report = JSON.parse(out) as { duration_ms: number; nodes: { port: number }[]; snapshot: { id: string } };
    assert.equal(report.duration_ms, 4200);
    assert.equal(report.nodes[0]?.port, 5433);
    assert.equal(report.snapshot.id, snapshot.id);
  });
});
