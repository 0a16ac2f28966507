import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TidemarkError } from '../../../shared/errors/tidemark-error.ts';
import { serverStreamHandler, unaryHandler } from '../../../shared/rpc/handlers.ts';
import { protocol } from '../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../shared/rpc/server.ts';

const PYTHON = '/usr/bin/python3';
const root = fileURLToPath(new URL('../../../..', import.meta.url));

/** Another implementation of gRPC than ours: Debian's python3-grpcio, where the machine has it. */
const hasPythonGrpc = spawnSync(PYTHON, ['-c', 'import grpc'], { stdio: 'ignore' }).status === 0;

if (hasPythonGrpc) {
  describe('a gRPC client that is not ours', () => {
    it('sees health, reflection, answers and errors', async () => {
      const server = new RpcServer();
      const failing = unaryHandler(async () => Promise.reject(new TidemarkError('TM-SNAP-001', 'no such snapshot')));
      const empty = serverStreamHandler(async function* () {
        yield* [];
      });
      server.addService(protocol.Admin.service, {
        GetStatus: failing,
        CreateBackup: empty,
        ListBackups: failing,
        GetBackup: failing,
        CreateSnapshot: failing,
        ListSnapshots: failing,
        GetSnapshot: failing,
        PlanRestore: failing,
        Restore: empty,
        GetLeader: unaryHandler(async () => ({ coordinatorId: 'c1', term: '7' })),
        ResignLeader: failing,
      });
      const address = await server.listen('127.0.0.1:0');
      try {
        const script = path.join(root, 'test/integration/rpc/foreign-client.py');
        const { stdout } = await promisify(execFile)(PYTHON, [script, address], { timeout: 30_000 });
        const lines = stdout.trim().split('\n');
        const line = (prefix: string) => lines.find((text) => text.startsWith(`${prefix} `)) ?? '';
        assert.equal(line('health'), 'health 0801');
        assert.equal(line('service health'), 'service health 0801');
        assert.match(line('services'), /tidemark\.v1\.Admin/);
        assert.match(line('services'), /grpc\.health\.v1\.Health/);
        assert.doesNotMatch(line('services'), /tidemark\.v1\.Peer/);
        assert.equal(line('leader'), 'leader 0a0263312007');
        assert.match(line('error /tidemark.v1.Admin/GetSnapshot'), /NOT_FOUND no such snapshot b'.*TM-SNAP-001/);
        assert.match(line('error /tidemark.v1.Admin/Unknown'), /UNIMPLEMENTED/);
      } finally {
        await server.stop(500);
      }
    });
  });
}
