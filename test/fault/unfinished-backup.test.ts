import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { TidemarkCluster } from '../support/cluster.ts';
import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { RestoredCluster, type SnapshotJson } from '../support/restored-cluster.ts';
import { waitFor } from '../support/wait-for.ts';

/** Files below `backups/` of a copy, by backup. */
function backupFiles({ repositoryPath }: CoordinatorProcess): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const nodes = path.join(repositoryPath, 'nodes');
  for (const entry of readdirSync(nodes, { recursive: true, withFileTypes: true })) {
    const parts = path.relative(nodes, entry.parentPath).split(path.sep);
    const [, , subject, id] = parts;
    if (!entry.isFile() || subject !== 'backups' || id === undefined) continue;
    found.set(id, [...(found.get(id) ?? []), entry.name].sort());
  }
  return found;
}

describe('A leader that is killed in the middle of a base backup', function () {
  this.timeout(180_000);

  it('leaves packs that go from every copy; the next backup is whole and restores', async () => {
    await using cluster = await TidemarkCluster.create({ shards: 1, copiesRequired: 3, snapshotInterval: '1h' });
    const [shard] = cluster.shards;
    assert.ok(shard !== undefined);
    await shard.query('CREATE TABLE t AS SELECT generate_series(1, 1000) n');
    await cluster.waitUntilAcknowledged();
    const leader = await cluster.leader();
    const [follower, silent] = cluster.coordinators.filter((coordinator) => coordinator !== leader);
    assert.ok(follower !== undefined && silent !== undefined);

    // Its WAL is acknowledged by three only, so the backup stands still between its packs and its manifest.
    silent.pause();
    const failing = cluster.cli.run(['backup', 'create']);
    const holding = [leader, follower];
    await waitFor('the packs are copied', () => holding.every((one) => backupFiles(one).size === 1));
    const [[failed, packs] = assert.fail()] = backupFiles(leader);
    assert.deepEqual(packs, ['000000.pack']);
    await leader.kill();
    silent.resume();
    assert.notEqual((await failing).exitCode, 0);
    assert.deepEqual(backupFiles(follower).get(failed), packs);
    assert.deepEqual(backupFiles(leader).get(failed), packs);
    await leader.start();

    await waitFor('no packs are left', () => cluster.coordinators.every((one) => !backupFiles(one).has(failed)), {
      timeoutMs: 60_000,
      intervalMs: 200,
    });
    for (const { logFile } of holding) {
      const line = readFileSync(logFile, 'utf8')
        .split('\n')
        .find((text) => text.includes('removed the packs of a base backup'));
      const { node, backup, packs: count, bytes } = JSON.parse(line ?? '{}') as Record<string, unknown>;
      assert.deepEqual([node, backup, count], [shard.name, failed, 1]);
      assert.ok(Number(bytes) > 0);
    }

    await cluster.waitUntilAcknowledged();
    await cluster.cli.json(['backup', 'create'], 60_000);
    const snapshot = await waitFor('a complete snapshot', async () => {
      const taken = await cluster.cli.json<SnapshotJson>(['snapshot', 'create']);
      return taken.complete ? taken : null;
    });
    for (const one of cluster.coordinators) {
      await waitFor('the copy has the new backup, and nothing else', () => {
        const files = [...backupFiles(one).values()];
        assert.deepEqual(files, [['000000.pack', 'manifest.json.zst']]);
        return true;
      });
      await cluster.cli.json(['repository', 'verify', '--path', one.repositoryPath]);
    }
    await using restored = await RestoredCluster.fromCoordinators(cluster, snapshot.id);
    assert.equal(restored.report.nodes.length, 1);
  });
});
