import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import type { ShardAddress } from '../../support/bank/bank-schema.ts';
import { TidemarkCluster } from '../../support/cluster.ts';
import { RestoredCluster, type SnapshotJson } from '../../support/restored-cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

describe('A shard that fails over and loses what the last snapshot held', function () {
  this.timeout(300_000);

  it('is in the next snapshot as it is now, and is restored from it', async () => {
    await using cluster = await TidemarkCluster.create({
      shards: 2,
      dataCenters: ['east', 'west'],
      snapshotInterval: '1h',
      postgres: { walSegmentSizeMb: 1, settings: { wal_keep_size: '1GB' } },
    });
    const [failing, other] = cluster.shards;
    assert.ok(failing !== undefined && other !== undefined);
    const takeSnapshot = (label: string): Promise<SnapshotJson> =>
      waitFor(
        'a complete snapshot',
        async () => {
          const taken = await cluster.cli.json<SnapshotJson>(['snapshot', 'create', '--label', label]);
          return taken.complete ? taken : null;
        },
        { timeoutMs: 60_000, intervalMs: 500 },
      );
    await cluster.leader();
    for (const shard of cluster.shards) await shard.query('CREATE TABLE t (n int)');
    await cluster.waitUntilAcknowledged();
    await cluster.cli.json(['backup', 'create'], 120_000);
    for (const shard of cluster.shards) {
      await shard.query('BEGIN');
      await shard.query('INSERT INTO t VALUES (1)');
      await shard.query(`PREPARE TRANSACTION 'both'`);
    }
    await cluster.waitUntilAcknowledged();

    // What the standby has; it lags from here on.
    const standby = path.join(cluster.directory.path, 'standby');
    await failing.stop();
    execFileSync('cp', ['-a', failing.dataDirectory, standby]);
    await failing.start();
    for (const shard of cluster.shards) await shard.query(`COMMIT PREPARED 'both'`);
    await cluster.waitUntilAcknowledged();
    const before = await takeSnapshot('before');
    assert.deepEqual(before.in_doubt, []);

    await failing.kill();
    await failing.destroyData();
    execFileSync('cp', ['-a', standby, failing.dataDirectory]);
    const { uid, gid } = statSync(failing.dataDirectory);
    const signal = path.join(failing.dataDirectory, 'standby.signal');
    writeFileSync(signal, '');
    chownSync(signal, uid, gid);
    await failing.start();
    await failing.query('SELECT pg_promote()');
    await failing.query('INSERT INTO t VALUES (2)');
    assert.equal(await failing.value(`SELECT count(*)::text FROM pg_prepared_xacts WHERE gid = 'both'`), '1');

    const after = await takeSnapshot('after');
    assert.deepEqual(
      after.in_doubt.map(({ gid, decision }) => ({ gid, decision })),
      [{ gid: 'both', decision: 'commit' }],
    );
    await using restored = await RestoredCluster.fromCoordinators(cluster, after.id);
    const rows = await Promise.all(restored.shards.map((shard) => readRows(shard)));
    assert.deepEqual(rows, ['1,2', '1']);
  });
});

async function readRows(shard: ShardAddress): Promise<string | undefined> {
  const client = new Client({ ...shard, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: string }>(`SELECT string_agg(n::text, ',' ORDER BY n) AS n FROM t`);
    return rows[0]?.n;
  } finally {
    await client.end();
  }
}
