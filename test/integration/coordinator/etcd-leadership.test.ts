import assert from 'node:assert/strict';
import { EtcdConnection } from '../../../coordinator/coordination/etcd-connection.ts';
import { EtcdKeys } from '../../../coordinator/coordination/etcd-keys.ts';
import { EtcdLeadership } from '../../../coordinator/coordination/etcd-leadership.ts';
import { EtcdLease } from '../../../coordinator/coordination/etcd-lease.ts';
import { TidemarkError } from '../../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../../shared/lifecycle/clock.ts';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { rejectsWithCode } from '../../support/rejects-with-code.ts';

/** While it holds, calls are given up at once and carried out later, when the test says so. */
class LateConnection extends EtcdConnection {
  holding = false;
  held: (() => Promise<unknown>)[] = [];

  override call: EtcdConnection['call'] = (work, timeoutMs) => {
    if (this.holding) {
      this.held.push(() => super.call(work, timeoutMs));
      return Promise.reject(new TidemarkError('TM-LEAD-003', 'held'));
    }
    return super.call(work, timeoutMs);
  };

  async release(): Promise<void> {
    for (const call of this.held.splice(0)) await call();
  }
}

describe('etcd leadership', () => {
  let etcd: EtcdCluster;
  let connection: LateConnection;
  const keys = new EtcdKeys('/tidemark/', 'late');

  before(async () => {
    etcd = await EtcdCluster.create();
    connection = new LateConnection({ endpoints: etcd.endpoints, callTimeoutMs: 2000 }, systemClock);
  });
  after(async () => {
    connection.close();
    await etcd[Symbol.asyncDispose]();
  });

  /** Takes the leader's key as it is, and makes a leadership of it. */
  async function lead(term: bigint): Promise<EtcdLeadership> {
    const lease = await EtcdLease.grant(connection, systemClock, 5000);
    const value = `term ${term}`;
    const { header } = await connection.call((client, options) =>
      client.kv.put({ key: Buffer.from(keys.leader), value: Buffer.from(value), lease: lease.id }, options),
    );
    const leadership = new EtcdLeadership(connection, keys, { term, value, lease, createRevision: header.revision });
    await leadership.verify();
    return leadership;
  }

  async function read(key: string): Promise<string | undefined> {
    const { kvs } = await connection.call((client, options) =>
      client.kv.range({ key: Buffer.from(keys.name(key)) }, options),
    );
    return kvs[0]?.value.toString();
  }

  it('does not let a write that was given up overwrite a later one', async () => {
    const leadership = await lead(1n);
    for (const before of [false, true]) {
      if (before) await leadership.put(`key ${before}`, 'before');
      connection.holding = true;
      await rejectsWithCode(leadership.put(`key ${before}`, 'given up'), 'TM-LEAD-003');
      connection.holding = false;
      await leadership.put(`key ${before}`, 'after');
      await connection.release();
      assert.equal(await read(`key ${before}`), 'after');
    }
    await leadership.resign();
  });

  it('writes over a write of its own that was given up and carried out', async () => {
    const leadership = await lead(2n);
    connection.holding = true;
    await rejectsWithCode(leadership.put('x', 'given up'), 'TM-LEAD-003');
    connection.holding = false;
    await connection.release();
    await leadership.put('x', 'after');
    assert.equal(await read('x'), 'after');
    await leadership.resign();
  });

  it('does not write late once another leads', async () => {
    const zombie = await lead(3n);
    connection.holding = true;
    await rejectsWithCode(zombie.put('y', 'zombie'), 'TM-LEAD-003');
    await rejectsWithCode(zombie.put('nobody else writes this', 'zombie'), 'TM-LEAD-003');
    connection.holding = false;
    await connection.call((client, options) => client.kv.deleteRange({ key: Buffer.from(keys.leader) }, options));
    const next = await lead(4n);
    await next.put('y', 'next');
    await connection.release();
    assert.equal(await read('y'), 'next');
    assert.equal(await read('nobody else writes this'), undefined);
    await rejectsWithCode(zombie.put('y', 'zombie'), 'TM-LEAD-002');
    assert.equal(zombie.signal.aborted, true);
    assert.equal(next.signal.aborted, false);
    await next.resign();
    assert.equal(await read('y'), 'next');
  });
});
