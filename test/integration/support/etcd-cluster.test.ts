import assert from 'node:assert/strict';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { waitFor } from '../../support/wait-for.ts';

describe('EtcdCluster', () => {
  it('of three members goes on without one, and takes it back', async () => {
    await using etcd = await EtcdCluster.create({ size: 3 });
    const [first, second, third] = etcd.members;
    assert(first !== undefined && second !== undefined && third !== undefined);
    await first.kill();
    await etcd.waitUntilHealthy();
    await second.kill();
    await waitFor('no majority, no health', async () => !(await third.healthy()));
    await first.start();
    await second.start();
    await etcd.waitUntilHealthy();
    assert.equal(etcd.members.filter((member) => member.running).length, 3);
  });
});
