import assert from 'node:assert/strict';
import { openChannel } from '../../../shared/rpc/channel.ts';
import { AgentProcess } from '../../support/agent-process.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { WalPuller } from '../../support/wal-puller.ts';

describe('an agent whose leader is paused', function () {
  this.timeout(120_000);

  it('serves the next leader at once', async () => {
    await using directory = TemporaryDirectory.create('paused');
    await using server = await PostgresServer.create({ settings: { wal_compression: 'off' } });
    await using agent = await AgentProcess.prepare(directory, { node: 'n1', postgres: server });
    await agent.start();
    const systemIdentifier = await server.systemIdentifier();
    const stream = { node: 'n1', systemIdentifier, timeline: 1 };
    const channel = openChannel(agent.address);
    const paused = channel.agent.PullWal();
    paused.on('error', () => undefined);
    try {
      // It takes the first message and no other.
      const started = new Promise((resolve) => paused.once('data', (message) => resolve((paused.pause(), message))));
      paused.write({
        open: { fence: { term: '1', coordinatorId: 'old' }, stream, fromLsn: '0', parseFromLsn: '0' },
      });
      await started;
      // Random text does not get smaller: more than both ends of a connection hold.
      await server.query(
        `CREATE TABLE t AS SELECT string_agg(md5(random()::text), '') AS s FROM generate_series(1, 1500000) AS n GROUP BY n / 40`,
      );
      const sent = async (): Promise<string> =>
        await server.value('SELECT coalesce(max(sent_lsn), $1::pg_lsn)::text FROM pg_stat_replication', ['0/0']);
      let before = '';
      await waitFor('it is stuck', async () => before === (before = await sent()), { intervalMs: 500 });

      const puller = new WalPuller(agent.address, stream);
      const stop = new AbortController();
      const beganMs = performance.now();
      const pulling = puller.pull({ term: 2n, signal: stop.signal }).catch(() => null);
      await waitFor('the next leader is served', () => puller.receivedBytes > 0);
      const tookMs = performance.now() - beganMs;
      stop.abort();
      await pulling;
      assert.ok(tookMs < 5_000, `it took ${Math.round(tookMs)} ms`);
    } finally {
      paused.cancel();
      channel.close();
    }
  });
});
