import assert from 'node:assert/strict';
import * as grpc from '@grpc/grpc-js';
import { createBackups } from '../../../../coordinator/cli/backup-creation.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import type { ErrorCode } from '../../../../shared/errors/codes.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { openChannel, type Channel } from '../../../../shared/rpc/channel.ts';
import { serverStreamHandler, unaryHandler } from '../../../../shared/rpc/handlers.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../../shared/rpc/server.ts';

describe('creating base backups', () => {
  let server: RpcServer;
  let channel: Channel;
  /** The nodes of each call, and how many of them are backed up before the call fails; null: all, and it does not fail. */
  let asked: (readonly string[])[];
  let failures: { readonly after: number; readonly code: ErrorCode }[];

  beforeEach(async () => {
    asked = [];
    failures = [];
    server = new RpcServer();
    const missing: grpc.UntypedHandleCall = (_call: unknown, callback: grpc.sendUnaryData<unknown>) => {
      callback({ code: grpc.status.UNIMPLEMENTED });
    };
    const handlers = Object.fromEntries(Object.keys(protocol.Admin.service).map((name) => [name, missing]));
    server.addService(protocol.Admin.service, {
      ...handlers,
      GetStatus: unaryHandler(async () => ({ nodes: [{ node: 'a' }, { node: 'b' }, { node: 'c' }] })),
      CreateBackup: serverStreamHandler(async function* ({ nodes }: { nodes: string[] }) {
        asked.push(nodes);
        const failure = failures.shift();
        for (const node of nodes.slice(0, failure?.after)) {
          yield { backup: { id: `of-${node}`, node, type: 'full' } };
        }
        if (failure !== undefined) throw new TidemarkError(failure.code, 'the leader is gone');
      }),
    });
    channel = openChannel(await server.listen('127.0.0.1:0'));
  });

  afterEach(async () => {
    channel.close();
    await server.stop(1_000);
  });

  const create = (nodes: readonly string[]) =>
    createBackups(channel.admin, {
      nodes,
      clock: { ...systemClock, sleep: async () => {} },
      random: () => 0.5,
      signal: new AbortController().signal,
      onProgress: () => {},
    });

  it('goes on with the next leader, for the nodes that have none yet', async () => {
    failures = [
      { after: 1, code: 'TM-LEAD-002' },
      { after: 0, code: 'TM-LEAD-001' },
    ];
    const backups = await create([]);
    assert.deepEqual(
      backups.map(({ node }) => node),
      ['a', 'b', 'c'],
    );
    assert.deepEqual(asked, [
      ['a', 'b', 'c'],
      ['b', 'c'],
      ['b', 'c'],
    ]);
  });

  it('does not repeat a backup that failed', async () => {
    failures = [{ after: 0, code: 'TM-BACKUP-001' }];
    await assert.rejects(create(['b']), { code: 'TM-BACKUP-001' });
    assert.deepEqual(asked, [['b']]);
  });

  it('gives up when leaders come and go', async () => {
    failures = Array.from({ length: 9 }, () => ({ after: 0, code: 'TM-LEAD-002' as const }));
    await assert.rejects(create(['b']), { code: 'TM-LEAD-002' });
    assert.equal(asked.length, 5);
  });
});
