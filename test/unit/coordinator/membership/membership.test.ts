import assert from 'node:assert/strict';
import { EmbeddedCoordination } from '../../../../coordinator/coordination/embedded-coordination.ts';
import type { Leadership } from '../../../../coordinator/coordination/coordination.ts';
import { Membership } from '../../../../coordinator/membership/membership.ts';
import type { Instance } from '../../../../shared/postgres/instance.ts';
import { NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';
import { TemporaryDirectory } from '../../../support/temporary-directory.ts';
import { waitFor } from '../../../support/wait-for.ts';

function instance(changes: Partial<Instance> = {}): Instance {
  return {
    node: 'n1',
    instance: 'n1-a',
    systemIdentifier: '7301',
    timeline: 1,
    inRecovery: false,
    serverVersionNum: 180000,
    walSegmentBytes: 16 * 1024 * 1024,
    dataDirectory: '/data',
    slot: 'tidemark',
    slotRestartLsn: NO_LSN,
    flushLsn: NO_LSN,
    dataChecksums: true,
    advertisedAddress: '127.0.0.1:9',
    highestTerm: 0n,
    postgresReachable: true,
    synchronous: { configured: false, problem: '' },
    problem: '',
    ...changes,
  };
}

describe('membership', () => {
  let directory: TemporaryDirectory;
  let coordination: EmbeddedCoordination;
  let clock: FakeClock;
  let stop: AbortController;
  let running: Promise<void>;
  let expected: string[];

  beforeEach(async () => {
    directory = TemporaryDirectory.create('members');
    const self = { coordinatorId: 'c1', dataCenter: 'east', address: '127.0.0.1:1' };
    coordination = new EmbeddedCoordination({ self, directory: directory.path });
    await coordination.start('repository-1');
    clock = new FakeClock();
    expected = [];
    stop = new AbortController();
    running = Promise.resolve();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await coordination.close();
    await directory[Symbol.asyncDispose]();
  });

  async function lead(): Promise<{ membership: Membership; leadership: Leadership }> {
    const membership = new Membership({ coordination, clock, silenceMaxMs: 5000, expected });
    let loaded = false;
    membership.onChange(() => (loaded = true));
    const leadership = await coordination.campaign({ termMin: 0n, signal: stop.signal });
    running = membership.run(leadership, stop.signal);
    await waitFor('the nodes are loaded', () => loaded);
    return { membership, leadership };
  }

  it('refuses registrations while another leads', async () => {
    const membership = new Membership({ coordination, clock, silenceMaxMs: 5000, expected });
    await rejectsWithCode(membership.register(instance()), 'TM-LEAD-001');
  });

  it('keeps the system identifier of a node for ever', async () => {
    const first = await lead();
    await first.membership.register(instance());
    await rejectsWithCode(first.membership.register(instance({ systemIdentifier: '9999' })), 'TM-PG-003');
    stop.abort();
    await running;
    await first.leadership.resign();
    stop = new AbortController();

    const second = await lead();
    assert.deepEqual(second.membership.nodes(), [{ node: 'n1', systemIdentifier: '7301', instances: [] }]);
    await rejectsWithCode(second.membership.register(instance({ systemIdentifier: '9999' })), 'TM-PG-003');
    assert.equal(second.membership.primary('n1'), null);
  });

  it('takes the nodes of the cluster only, and knows which never came', async () => {
    expected = ['n2', 'n1'];
    const { membership } = await lead();
    assert.deepEqual(membership.missing(), ['n1', 'n2']);
    await membership.register(instance());
    assert.deepEqual(membership.missing(), ['n2']);
    await rejectsWithCode(membership.register(instance({ node: 'n3' })), 'TM-PG-006');
    assert.deepEqual(
      membership.nodes().map(({ node }) => node),
      ['n1'],
    );
  });

  it('forgets a node that the cluster does not have any more', async () => {
    const first = await lead();
    await first.membership.register(instance());
    await first.membership.register(instance({ node: 'mistyped' }));
    stop.abort();
    await running;
    await first.leadership.resign();
    stop = new AbortController();
    expected = ['n1'];

    const { membership } = await lead();
    assert.deepEqual(
      membership.nodes().map(({ node }) => node),
      ['n1'],
    );
  });

  it('tells of those that it refuses, as long as they call', async () => {
    const { membership } = await lead();
    await membership.register(instance());
    const foreign = instance({ instance: 'n1-b', systemIdentifier: '9999', advertisedAddress: '127.0.0.1:11' });
    await rejectsWithCode(membership.register(foreign), 'TM-PG-003');
    assert.deepEqual(
      membership.refused().map(({ node, instance: name }) => [node, name]),
      [['n1', 'n1-b']],
    );
    clock.advance(6000);
    assert.deepEqual(membership.refused(), []);
    await rejectsWithCode(membership.register(foreign), 'TM-PG-003');
    await membership.register({ ...foreign, systemIdentifier: '7301' });
    assert.deepEqual(membership.refused(), []);
  });

  it('lets one of two systems be a new node', async () => {
    const { membership } = await lead();
    const results = await Promise.allSettled([
      membership.register(instance()),
      membership.register(instance({ instance: 'n1-b', systemIdentifier: '9999' })),
    ]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal(membership.nodes().length, 1);
  });

  it('knows the primary: not in recovery, alive, on the highest timeline', async () => {
    const { membership } = await lead();
    await membership.register(instance({ systemIdentifier: '', postgresReachable: false }));
    assert.equal(membership.primary('n1'), null);
    await membership.register(instance());
    await membership.register(instance({ instance: 'n1-b', inRecovery: true }));
    assert.equal(membership.primary('n1')?.instance, 'n1-a');
    await membership.register(instance({ instance: 'n1-b', timeline: 2 }));
    assert.equal(membership.primary('n1')?.instance, 'n1-b');
    clock.advance(6000);
    await membership.register(instance());
    assert.equal(membership.primary('n1')?.instance, 'n1-a');
    assert.deepEqual(
      membership.nodes()[0]?.instances.map((member) => [member.instance.instance, member.alive]),
      [
        ['n1-a', true],
        ['n1-b', false],
      ],
    );
  });

  it('tells of news and not of every heartbeat', async () => {
    const { membership } = await lead();
    await membership.register(instance());
    let news = 0;
    membership.onChange(() => (news += 1));
    await membership.register(instance());
    assert.equal(news, 0);
    await membership.register(instance({ advertisedAddress: '127.0.0.1:10' }));
    assert.equal(news, 1);
  });

  it('goes on with known nodes when names cannot be written, and not with new ones', async () => {
    const { membership, leadership } = await lead();
    await membership.register(instance());
    await leadership.resign();
    await membership.register(instance({ timeline: 2 }));
    assert.equal(membership.primary('n1')?.timeline, 2);
    await rejectsWithCode(membership.register(instance({ node: 'n2' })), 'TM-LEAD-002');
  });

  it('ends a leadership when an agent has seen a higher term', async () => {
    const { membership, leadership } = await lead();
    await membership.register(instance());
    await membership.register(instance({ highestTerm: leadership.term + 1n }));
    assert.equal(leadership.signal.aborted, true);
  });

  it('refuses names that would leave their place', async () => {
    const { membership } = await lead();
    await rejectsWithCode(membership.register(instance({ node: '../n1' })), 'TM-REPO-006');
  });
});
