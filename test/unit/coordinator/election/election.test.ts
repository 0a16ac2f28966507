import assert from 'node:assert/strict';
import path from 'node:path';
import { EmbeddedCoordination } from '../../../../coordinator/coordination/embedded-coordination.ts';
import { Election } from '../../../../coordinator/election/election.ts';
import type { LeaderDuty } from '../../../../coordinator/election/leader-duty.ts';
import { TermStore } from '../../../../shared/term/term-store.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { untilAborted } from '../../../../shared/lifecycle/until-aborted.ts';
import { silentLogger } from '../../../../shared/observability/logger.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';
import { TemporaryDirectory } from '../../../support/temporary-directory.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** A duty that says what it does, and fails when it is told to. */
class FakeDuty implements LeaderDuty {
  readonly name: string;
  readonly events: string[];
  ends: 'when told' | 'never' = 'when told';
  fail: (error: Error) => void = () => undefined;

  constructor(name: string, events: string[]) {
    this.name = name;
    this.events = events;
  }

  async run(leadership: { readonly term: bigint }, signal: AbortSignal): Promise<void> {
    this.events.push(`${this.name} begins ${leadership.term}`);
    const failure = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    await Promise.race([this.ends === 'never' ? new Promise(() => undefined) : untilAborted(signal), failure]);
    this.events.push(`${this.name} ends ${leadership.term}`);
  }
}

describe('election', () => {
  let directory: TemporaryDirectory;
  let coordination: EmbeddedCoordination;
  let terms: TermStore;
  let clock: FakeClock;
  let stop: AbortController;
  let events: string[];
  let duties: [FakeDuty, FakeDuty];
  let election: Election;
  let errors: unknown[];
  let running: Promise<void>;

  beforeEach(async () => {
    directory = TemporaryDirectory.create('election');
    const self = { coordinatorId: 'c1', dataCenter: 'east', address: '127.0.0.1:1' };
    coordination = new EmbeddedCoordination({ self, directory: directory.path });
    await coordination.start('repository-1');
    terms = await TermStore.open(path.join(directory.path, 'highest-term'));
    clock = new FakeClock();
    stop = new AbortController();
    events = [];
    errors = [];
    duties = [new FakeDuty('a', events), new FakeDuty('b', events)];
    election = new Election({
      coordination,
      terms,
      duties,
      clock,
      random: () => 0.5,
      logger: silentLogger(),
      standBackMs: 1000,
      dutyStopMs: 5000,
      onError: (error) => errors.push(error),
    });
    running = election.run(stop.signal);
    running.catch(() => undefined);
    await leads();
  });
  afterEach(async () => {
    stop.abort();
    await running.catch(() => undefined);
    await coordination.close();
    await directory[Symbol.asyncDispose]();
  });

  async function leads(): Promise<bigint> {
    return (await waitFor('it leads', () => (events.length % 4 === 2 ? election.current() : null))).term;
  }

  it('runs all duties while it leads, and ends them before it resigns', async () => {
    const term = election.current()!.term;
    assert.equal(terms.highest, term);
    assert.deepEqual(events, [`a begins ${term}`, `b begins ${term}`]);
    stop.abort();
    await running;
    assert.deepEqual(events.slice(2).sort(), [`a ends ${term}`, `b ends ${term}`]);
    assert.equal(election.current(), null);
    assert.equal(coordination.leader(), null);
  });

  it('stands back after a resignation, then stands again', async () => {
    const term = election.current()!.term;
    await election.resign();
    assert.equal(election.current(), null);
    await waitFor('it stands back', () => clock.sleeping === 1 && events.length === 4);
    await rejectsWithCode(election.resign(), 'TM-LEAD-001');
    clock.advance(999);
    assert.equal(clock.sleeping, 1);
    clock.advance(1);
    assert.ok((await leads()) > term);
  });

  it('gives the leadership up when a duty fails, and stands back longer each time', async () => {
    for (const [round, standBackMs] of [1500, 3000, 6000].entries()) {
      duties[round % 2]!.fail(new TidemarkError('TM-PG-001', 'broken'));
      await waitFor('it stands back', () => clock.sleeping === 1 && events.length === 4 * (round + 1) - 1);
      assert.equal(coordination.leader(), null);
      clock.advance(standBackMs - 1);
      assert.equal(clock.sleeping, 1);
      clock.advance(1);
      events.push('padding for the end that a failed duty does not say');
      await leads();
    }
    assert.deepEqual(
      errors.map((error) => (error as TidemarkError).code),
      ['TM-PG-001', 'TM-PG-001', 'TM-PG-001'],
    );
  });

  it('gives way when a higher term is met, and stands above it', async () => {
    const term = election.current()!.term;
    await terms.observe(term + 7n);
    assert.equal(election.current(), null);
    await waitFor('it stands back', () => clock.sleeping === 1 && events.length === 4);
    clock.advance(1000);
    assert.ok((await leads()) > term + 7n);
  });

  it('ends the process when a duty does not end', async () => {
    duties[1].ends = 'never';
    await election.resign();
    await waitFor('it stands back', () => clock.sleeping === 1 && events.length === 4);
    clock.advance(1000);
    await waitFor('it leads again', () => events.filter((event) => event.startsWith('b begins')).length === 2);
    await election.resign();
    await waitFor('it waits for the duty', () => clock.sleeping === 1 && events.length === 7);
    clock.advance(5000);
    await rejectsWithCode(running, 'TM-INTERNAL-001');
  });
});
