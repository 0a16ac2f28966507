import assert from 'node:assert/strict';
import { AgentProcess } from '../../support/agent-process.ts';
import { TidemarkCluster, type ClusterStatus } from '../../support/cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

/** The agent of shard-1 never comes, and that of a node which the cluster does not have does. */
describe('a cluster whose nodes are configured', () => {
  let cluster: TidemarkCluster;

  before(async function () {
    this.timeout(120_000);
    cluster = await TidemarkCluster.create({
      shards: 1,
      dataCenters: ['east'],
      coordination: 'embedded',
      coordinatorConfig: { nodes: ['shard-0', 'shard-1'] },
    });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  it('says which node has never come, also in its metrics', async () => {
    const { nodes, problems } = await cluster.cli.json<ClusterStatus>(['status']);
    assert.deepEqual(
      nodes.map(({ node, state }) => [node, state]),
      [
        ['shard-0', 'streaming'],
        ['shard-1', 'unreachable'],
      ],
    );
    assert.ok(problems.includes('node shard-1 is unreachable: its agent has never registered'), String(problems));
    const metrics = await (await cluster.leader()).metrics();
    assert.equal(metrics.get('tidemark_node_streaming{node="shard-1"}'), 0);
  });

  it('does not call a backup done that lacks a node', async () => {
    const { exitCode, stderr } = await cluster.cli.run(['backup', 'create']);
    assert.equal(exitCode, 1);
    assert.match(stderr, /no primary of shard-1 is known \(TM-BACKUP-001\)/);
    const { backups } = await cluster.cli.json<{ backups: { node: string }[] }>(['backup', 'list']);
    assert.deepEqual(
      backups.map(({ node }) => node),
      ['shard-0'],
    );
  });

  it('does not call a snapshot complete that lacks a node', async () => {
    const { exitCode, stdout, stderr } = await cluster.cli.run(['snapshot', 'create']);
    assert.equal(exitCode, 1);
    assert.match(stdout, /^complete +no$/m);
    assert.match(stderr, /does not hold all nodes as they were \(TM-SNAP-003\)/);
  });

  it('refuses a node that it does not have, and says so for as long as its agent calls', async () => {
    const [postgres] = cluster.shards;
    assert.ok(postgres !== undefined);
    const stranger = await AgentProcess.prepare(cluster.directory, {
      node: 'shard-9',
      postgres,
      coordinators: cluster.coordinators.map(({ address }) => address),
      config: { instance: 'stranger' },
    });
    await using running = stranger;
    await running.start();
    const wanted = 'an agent is refused: stranger belongs to node shard-9, which the cluster does not have';
    await waitFor('the refusal is shown', async () =>
      (await cluster.cli.json<ClusterStatus>(['status'])).problems.includes(wanted),
    );
    await running.stop();
    await waitFor('it is not shown any more', async () => {
      const { problems, nodes } = await cluster.cli.json<ClusterStatus>(['status']);
      return !problems.includes(wanted) && nodes.every(({ node }) => node !== 'shard-9');
    });
  });
});
