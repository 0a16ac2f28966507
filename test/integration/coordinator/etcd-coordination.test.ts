import assert from 'node:assert/strict';
import { Etcd3 } from 'etcd3';
import { EtcdCoordination } from '../../../coordinator/coordination/etcd-coordination.ts';
import type { CoordinatorInfo } from '../../../coordinator/coordination/coordination.ts';
import { systemClock } from '../../../shared/lifecycle/clock.ts';
import { describeCoordination } from '../../support/coordination-conformance.ts';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { rejectsWithCode } from '../../support/rejects-with-code.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';

const LEASE_TTL_MS = 2000;
const NEVER = new AbortController().signal;

describe('etcd coordination', function () {
  this.timeout(120_000);
  let etcd: EtcdCluster;
  let proxy: TcpProxy;
  let tests = 0;
  const opened: EtcdCoordination[] = [];

  before(async () => {
    etcd = await EtcdCluster.create();
    proxy = await TcpProxy.create({ port: Number(new URL(etcd.endpoints[0]!).port) });
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await etcd[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    tests += 1;
  });
  afterEach(async () => {
    proxy.heal();
    proxy.delayMs = 0;
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  function open(self: CoordinatorInfo, endpoints: readonly string[]): EtcdCoordination {
    return new EtcdCoordination({
      self,
      cluster: `c${tests}`,
      prefix: '/tidemark/',
      access: { endpoints, callTimeoutMs: 1000 },
      leaseTtlMs: LEASE_TTL_MS,
      clock: systemClock,
    });
  }

  async function started(id: string, options: { proxied?: boolean } = {}) {
    const endpoints = options.proxied === true ? [`http://${proxy.address}`] : etcd.endpoints;
    const one = open({ coordinatorId: id, dataCenter: id, address: `${id}:1` }, endpoints);
    opened.push(one);
    await one.start('repository-1');
    return one;
  }

  const campaign = (one: EtcdCoordination) => {
    const campaigning = one.campaign({ termMin: 0n, signal: NEVER });
    campaigning.catch(() => undefined);
    return campaigning;
  };

  describeCoordination('etcd', (self) => Promise.resolve(open(self, etcd.endpoints)));

  it('has one leader among three, and the next one as soon as that resigns', async () => {
    const all = await Promise.all(['a', 'b', 'c'].map((id) => started(id)));
    const campaigns = new Map(all.map((one) => [one, campaign(one)]));
    const winner = () =>
      Promise.race([...campaigns].map(async ([one, campaigning]) => ({ one, leadership: await campaigning })));
    let last = 0n;
    for (let round = 0; round < 9; round++) {
      const { one, leadership } = await winner();
      assert.ok(leadership.term > last);
      last = leadership.term;
      await waitFor('all know the leader', () => all.every((other) => other.leader()?.term === leadership.term));
      await waitFor('all know all', () => all.every((other) => other.coordinators().length === 3));
      const startedMs = performance.now();
      campaigns.delete(one);
      await leadership.resign();
      await winner();
      assert.ok(performance.now() - startedMs < LEASE_TTL_MS / 2, 'a resignation does not wait for the lease');
      campaigns.set(one, campaign(one));
    }
  });

  it('takes the right to names from a leader that is cut off before another is elected', async () => {
    const cutOff = await started('a', { proxied: true });
    const other = await started('b');
    const first = await campaign(cutOff);
    await waitFor('the other knows', () => other.leader()?.coordinatorId === 'a');
    const campaigning = campaign(other);
    proxy.blackhole();
    const second = await campaigning;
    assert.equal(first.holdsNames(), false);
    assert.ok(second.term > first.term);
    assert.equal(first.signal.aborted, false, 'nobody has told it');
    assert.equal(cutOff.leader()?.coordinatorId, 'a');
    await waitFor('it says that etcd is away', () => !cutOff.reachable());
    await rejectsWithCode(first.put('x', 'late'), 'TM-LEAD-003');
    proxy.heal();
    await waitFor('it knows that it has lost', () => first.signal.aborted);
    await rejectsWithCode(first.put('x', 'late'), 'TM-LEAD-002');
    await waitFor('it knows the leader', () => cutOff.leader()?.term === second.term);
    assert.equal(await other.get('x'), null);
  });

  it('gives way to a higher term while etcd is away', async () => {
    const one = await started('a', { proxied: true });
    const first = await campaign(one);
    proxy.refuse();
    first.notifyHigherTerm(first.term + 10n);
    assert.equal(first.signal.aborted, true);
    const campaigning = one.campaign({ termMin: first.term + 10n, signal: NEVER });
    proxy.heal();
    assert.ok((await campaigning).term > first.term + 10n);
  });

  it('is not disturbed by connections that break all the time', async () => {
    const one = await started('a', { proxied: true });
    const leadership = await campaign(one);
    const endAtMs = performance.now() + 3 * LEASE_TTL_MS;
    for (let count = 0; performance.now() < endAtMs; count++) {
      proxy.cut();
      await leadership.put('counter', String(count));
      assert.equal(await one.get('counter'), String(count));
    }
    assert.equal(leadership.signal.aborted, false);
    assert.equal(leadership.holdsNames(), true);
  });

  it('is back after etcd was killed and started, with the same leader and names', async () => {
    const one = await started('a');
    const leadership = await campaign(one);
    await leadership.put('x', '1');
    await etcd.members[0]!.kill();
    await rejectsWithCode(leadership.put('x', '2'), 'TM-LEAD-003');
    await rejectsWithCode(one.get('x'), 'TM-LEAD-003');
    assert.equal(leadership.signal.aborted, false);
    assert.equal(one.leader()?.term, leadership.term);
    assert.equal(one.reachable(), false);
    await etcd.members[0]!.start();
    await waitFor('the leader can write', () => leadership.put('x', '3').then(() => true));
    assert.equal(await one.get('x'), '3');
    await waitFor('the right to names is back', () => leadership.holdsNames());
    assert.equal(leadership.signal.aborted, false);
  });

  it('has one leader again after etcd stood still for longer than the lease', async () => {
    const all = await Promise.all(['a', 'b'].map((id) => started(id)));
    const campaigns = all.map((one) => campaign(one));
    const first = await Promise.race(campaigns);
    etcd.members[0]!.pause();
    try {
      await waitFor('the right to names is gone', () => !first.holdsNames());
      await rejectsWithCode(first.put('x', '1'), 'TM-LEAD-003');
      await systemClock.sleep(LEASE_TTL_MS);
      assert.equal(first.signal.aborted, false, 'work on bytes goes on while etcd is away');
    } finally {
      etcd.members[0]!.resume();
    }
    const current = await waitFor('somebody leads and can write', async () => {
      const others = campaigns.filter((_, index) => all[index]?.leader()?.term !== first.term || first.signal.aborted);
      const leadership = first.signal.aborted
        ? await Promise.any(others.map(async (won) => ((await won) === first ? Promise.reject(new Error()) : won)))
        : first;
      await leadership.put('x', '2');
      return leadership;
    });
    assert.ok(current.term >= first.term);
    await waitFor('all know the leader', () => all.every((one) => one.leader()?.term === current.term));
  });

  it('logs in as a user, and says so when it is refused', async () => {
    await using own = await EtcdCluster.create();
    const raw = new Etcd3({ hosts: [...own.endpoints] });
    const { auth } = raw;
    await auth.userAdd({ name: 'root', password: 'r' });
    await auth.userGrantRole({ user: 'root', role: 'root' });
    await auth.userAdd({ name: 'tidemark', password: 'right' });
    await auth.roleAdd({ name: 'tidemark' });
    await auth.roleGrantPermission({
      name: 'tidemark',
      perm: { permType: 'Readwrite', key: Buffer.from('/tidemark/'), range_end: Buffer.from('/tidemark0') },
    });
    await auth.userGrantRole({ user: 'tidemark', role: 'tidemark' });
    await auth.authEnable();
    raw.close();
    const login = async (password: string) => {
      const one = new EtcdCoordination({
        self: { coordinatorId: 'a', dataCenter: 'a', address: 'a:1' },
        cluster: 'auth',
        prefix: '/tidemark/',
        access: { endpoints: own.endpoints, callTimeoutMs: 1000, auth: { username: 'tidemark', password } },
        leaseTtlMs: LEASE_TTL_MS,
        clock: systemClock,
      });
      opened.push(one);
      await one.start('repository-1');
      return one;
    };
    const one = await login('right');
    const leadership = await campaign(one);
    await leadership.put('x', '1');
    assert.equal(await one.get('x'), '1');
    await waitFor('it is known', () => one.coordinators().length === 1);
    // The tokens that it had are gone with the restart.
    await own.members[0]!.kill();
    await own.members[0]!.start();
    await waitFor('it can write again', () => leadership.put('x', '2').then(() => true));

    const wrong = await login('wrong');
    const refusal = await rejectsWithCode(wrong.get('x'), 'TM-LEAD-003');
    assert.match(refusal.message, /refuses access/);
    assert.equal(wrong.reachable(), false);
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });

  it('makes itself known again after its leases were lost', async () => {
    const one = await started('a');
    const leadership = await campaign(one);
    await waitFor('it is known', () => one.coordinators().length === 1);
    const raw = new Etcd3({ hosts: [...etcd.endpoints] });
    try {
      const { leases } = await raw.leaseClient.leaseLeases();
      for (const { ID } of leases) await raw.leaseClient.leaseRevoke({ ID });
    } finally {
      raw.close();
    }
    await waitFor('the leadership is known to be lost', () => leadership.signal.aborted);
    const next = await campaign(one);
    assert.ok(next.term > leadership.term);
    await waitFor('it is known again', () => one.coordinators().length === 1);
  });
});
