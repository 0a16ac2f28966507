import assert from 'node:assert/strict';
import type { LeaderInfo, Leadership } from '../../../../coordinator/coordination/coordination.ts';
import { registryService } from '../../../../coordinator/registry-service/registry-service.ts';
import type { Instance } from '../../../../shared/postgres/instance.ts';
import { openChannel, type Channel } from '../../../../shared/rpc/channel.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../../shared/rpc/server.ts';
import { callUnary } from '../../../../shared/rpc/streams.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';

/** A coordinator with nothing but its registry. */
class FakeCoordinator {
  readonly id: string;
  readonly registered: Instance[] = [];
  readonly server = new RpcServer();
  leader: LeaderInfo | null = null;
  leads = false;
  highest = 0n;
  address = '';
  calls = 0;
  #channels: Channel[] = [];

  constructor(id: string) {
    this.id = id;
    const handlers = registryService({
      coordinatorId: id,
      coordination: { leader: () => this.leader },
      leadership: () => (this.leads ? ({ term: 5n } as Leadership) : null),
      membership: {
        register: (instance) => {
          this.registered.push(instance);
          return Promise.resolve();
        },
      },
      terms: {
        observe: (term) => {
          this.highest = term;
          return Promise.resolve();
        },
      },
      channelTo: (address) => this.open(address),
      heartbeatIntervalMs: 700,
    });
    this.server.addService(protocol.Registry.service, { ...handlers });
  }

  open(address: string): Channel {
    this.calls += 1;
    const channel = openChannel(address);
    this.#channels.push(channel);
    return channel;
  }

  async close(): Promise<void> {
    for (const channel of this.#channels) channel.close();
    await this.server.stop();
  }
}

describe('registry service', () => {
  let a: FakeCoordinator;
  let b: FakeCoordinator;

  beforeEach(async () => {
    a = new FakeCoordinator('a');
    b = new FakeCoordinator('b');
    for (const one of [a, b]) one.address = await one.server.listen('127.0.0.1:0');
  });
  afterEach(async () => {
    await a.close();
    await b.close();
  });

  const register = (at: FakeCoordinator) =>
    callUnary(
      at.open(at.address).registry,
      'Register',
      { instance: { node: 'n1', instance: 'n1', highestTerm: '4' } },
      { deadlineMs: 5000 },
    );
  const leaderIs = (one: FakeCoordinator): LeaderInfo => ({
    coordinatorId: one.id,
    dataCenter: one.id,
    address: one.address,
    term: 5n,
  });

  it('takes a registration where the leader is', async () => {
    a.leads = true;
    const response = await register(a);
    assert.equal(response.leaderId, 'a');
    assert.equal(response.term, '5');
    assert.equal(response.heartbeatIntervalMs, 700);
    assert.equal(a.highest, 4n);
    assert.equal(a.registered[0]?.node, 'n1');
  });

  it('passes a registration on to the leader', async () => {
    b.leads = true;
    a.leader = leaderIs(b);
    assert.equal((await register(a)).leaderId, 'b');
    assert.equal(b.registered.length, 1);
    assert.equal(a.registered.length, 0);
  });

  it('passes it on once at most', async () => {
    a.leader = leaderIs(b);
    b.leader = leaderIs(a);
    await rejectsWithCode(register(a), 'TM-LEAD-001');
    assert.equal(b.calls, 0);
  });

  it('refuses it while nobody leads', async () => {
    await rejectsWithCode(register(a), 'TM-LEAD-001');
    a.leader = leaderIs(a);
    await rejectsWithCode(register(a), 'TM-LEAD-001');
  });
});
