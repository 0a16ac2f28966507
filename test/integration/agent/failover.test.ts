import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { segmentStart } from '../../../shared/postgres/wal-segment.ts';
import { AgentProcess } from '../../support/agent-process.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { WalPuller } from '../../support/wal-puller.ts';

const SEGMENT_BYTES = 1024 * 1024;

describe('an agent beside a server that took over without the last WAL', function () {
  this.timeout(120_000);

  it('says where the old timeline ended for this server, and streams the next one from there', async () => {
    await using directory = TemporaryDirectory.create('failover');
    await using server = await PostgresServer.create({ walSegmentSizeMb: 1, settings: { wal_keep_size: '1GB' } });
    await using agent = await AgentProcess.prepare(directory, { node: 'n1', postgres: server });
    await agent.start();
    const systemIdentifier = await server.systemIdentifier();
    const stream = { node: 'n1', systemIdentifier, timeline: 1 };
    const puller = new WalPuller(agent.address, stream);
    const pullAll = async (): Promise<void> => {
      const endLsn = parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text'));
      const stop = new AbortController();
      const pulling = puller.pull({ term: 1n, signal: stop.signal }).catch(() => null);
      await waitFor('all is pulled', () => puller.endLsn >= endLsn);
      stop.abort();
      await pulling;
    };
    await server.query('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
    await pullAll();

    // What a standby that lags has: everything up to here, and nothing of what the primary writes and the agent streams next.
    await server.stop();
    const standby = path.join(directory.path, 'standby');
    execFileSync('cp', ['-a', server.dataDirectory, standby]);
    await server.start();
    await server.query('INSERT INTO t SELECT generate_series(1, 50000)');
    await pullAll();
    const orphanedLsn = puller.endLsn;
    await server.kill();
    await server.destroyData();
    execFileSync('cp', ['-a', standby, server.dataDirectory]);
    const { uid, gid } = statSync(server.dataDirectory);
    const signal = path.join(server.dataDirectory, 'standby.signal');
    writeFileSync(signal, '');
    chownSync(signal, uid, gid);
    await server.start();
    await server.query('SELECT pg_promote()');
    await server.query('INSERT INTO t SELECT generate_series(1, 1000)');

    const end = await puller.pull({ term: 1n });
    assert.ok(end?.timelineEnd, 'the timeline has ended');
    const forkLsn = lsn(BigInt(end.timelineEnd.endLsn));
    assert.equal(end.timelineEnd.nextTimeline, 2);
    assert.ok(forkLsn < orphanedLsn);
    assert.match(end.timelineEnd.history?.content.toString() ?? '', /^1\t/);

    const next = new WalPuller(agent.address, { ...stream, timeline: 2 }, segmentStart(forkLsn, SEGMENT_BYTES));
    const stop = new AbortController();
    const pulling = next.pull({ term: 1n, signal: stop.signal }).catch(() => null);
    await waitFor('the next timeline is pulled', () => next.endLsn > forkLsn);
    stop.abort();
    await pulling;
    // Up to the fork it is what was read before.
    const shared = Number(forkLsn - next.startLsn);
    const offset = Number(next.startLsn - puller.startLsn);
    const both = [next.content().subarray(0, shared), puller.content().subarray(offset, offset + shared)];
    const records = both.map((content) => withoutTimelines(content));
    assert.ok(records[0]?.equals(records[1] ?? Buffer.alloc(0)));
  });
});

/** Pages say in their headers on which timeline they were written; a new timeline's first segment is a copy as it was. */
function withoutTimelines(content: Buffer): Buffer {
  const copy = Buffer.from(content);
  for (let page = 0; page < copy.length; page += 8192) copy.writeUInt32LE(0, page + 4);
  return copy;
}
