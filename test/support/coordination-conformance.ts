import assert from 'node:assert/strict';
import type { Coordination, CoordinatorInfo } from '../../coordinator/coordination/coordination.ts';
import { rejectsWithCode } from './rejects-with-code.ts';
import { waitFor } from './wait-for.ts';

const EAST: CoordinatorInfo = { coordinatorId: 'c-east', dataCenter: 'east', address: '127.0.0.1:7001' };

/** What every coordination must do. `open` gives a coordination that is not started; all of one test share one state. */
export function describeCoordination(kind: string, open: (self: CoordinatorInfo) => Promise<Coordination>): void {
  describe(`${kind} coordination conforms`, () => {
    const never = new AbortController().signal;

    async function withStarted(work: (coordination: Coordination) => Promise<void>): Promise<void> {
      const coordination = await open(EAST);
      await coordination.start('repository-1');
      try {
        await work(coordination);
      } finally {
        await coordination.close();
      }
    }

    it('elects with a term above the least, and says who leads', async () => {
      await withStarted(async (coordination) => {
        let changes = 0;
        coordination.onChange(() => (changes += 1));
        const leadership = await coordination.campaign({ termMin: 1000n, signal: never });
        assert.ok(leadership.term > 1000n);
        assert.equal(leadership.holdsNames(), true);
        await waitFor('the leader is known', () => coordination.leader());
        assert.deepEqual(coordination.leader(), { ...EAST, term: leadership.term });
        await waitFor('this coordinator is known', () => coordination.coordinators().length === 1);
        assert.deepEqual(coordination.coordinators(), [EAST]);
        assert.ok(changes > 0);
        assert.equal(coordination.reachable(), true);
      });
    });

    it('never gives a term twice, over resignations and restarts', async () => {
      const terms: bigint[] = [];
      for (let start = 0; start < 3; start++) {
        await withStarted(async (coordination) => {
          for (let round = 0; round < 3; round++) {
            const leadership = await coordination.campaign({ termMin: 0n, signal: never });
            terms.push(leadership.term);
            await leadership.resign();
          }
        });
      }
      assert.deepEqual(
        terms,
        [...new Set(terms)].sort((a, b) => (a < b ? -1 : 1)),
      );
    });

    it('knows the repository that each coordinator was started with last', async () => {
      const west = { coordinatorId: 'c-west', dataCenter: 'west', address: '127.0.0.1:7002' };
      const known = async (self: CoordinatorInfo): Promise<string | null> => {
        const coordination = await open(self);
        try {
          return await coordination.knownRepository();
        } finally {
          await coordination.close();
        }
      };
      assert.equal(await known(west), null);
      for (const repositoryId of ['repository-1', 'repository-2']) {
        const coordination = await open(west);
        await coordination.start(repositoryId);
        await waitFor('the repository is known', async () => (await known(west)) === repositoryId);
        await coordination.close();
      }
      assert.equal(await known(west), 'repository-2');
    });

    it('keeps names over restarts, whatever they look like', async () => {
      const names = new Map([
        ['nodes/a/system-identifier', '7301'],
        ['nodes/ä b%2e./x', 'ü\n{"json": true}'],
        ['nodesabc', ''],
      ]);
      await withStarted(async (coordination) => {
        const leadership = await coordination.campaign({ termMin: 0n, signal: never });
        assert.equal(await coordination.get('nodes/a/system-identifier'), null);
        for (const [key, value] of names) {
          await leadership.put(key, 'before');
          await leadership.put(key, value);
        }
        await leadership.resign();
      });
      await withStarted(async (coordination) => {
        for (const [key, value] of names) {
          assert.equal(await coordination.get(key), value, key);
        }
        assert.deepEqual(await coordination.getAll(''), names);
        names.delete('nodesabc');
        assert.deepEqual(await coordination.getAll('nodes/'), names);
      });
    });

    it('applies the writes of one leadership in order', async () => {
      await withStarted(async (coordination) => {
        const leadership = await coordination.campaign({ termMin: 0n, signal: never });
        await Promise.all(Array.from({ length: 20 }, (_, index) => leadership.put('counter', String(index))));
        assert.equal(await coordination.get('counter'), '19');
      });
    });

    it('refuses a write after the leadership was resigned', async () => {
      await withStarted(async (coordination) => {
        const leadership = await coordination.campaign({ termMin: 0n, signal: never });
        await leadership.resign();
        assert.equal(leadership.signal.aborted, true);
        assert.equal(leadership.holdsNames(), false);
        await rejectsWithCode(leadership.put('late', 'x'), 'TM-LEAD-002');
        assert.equal(await coordination.get('late'), null);
        assert.equal(coordination.leader(), null);
      });
    });

    it('ends a leadership that hears of a higher term, and of no other', async () => {
      await withStarted(async (coordination) => {
        const leadership = await coordination.campaign({ termMin: 0n, signal: never });
        leadership.notifyHigherTerm(leadership.term);
        leadership.notifyHigherTerm(0n);
        assert.equal(leadership.signal.aborted, false);
        leadership.notifyHigherTerm(leadership.term + 5n);
        assert.equal(leadership.signal.aborted, true);
        await rejectsWithCode(leadership.put('late', 'x'), 'TM-LEAD-002');
        const next = await coordination.campaign({ termMin: leadership.term + 5n, signal: never });
        assert.ok(next.term > leadership.term + 5n);
      });
    });

    it('ends the leadership when it is closed', async () => {
      const coordination = await open(EAST);
      await coordination.start('repository-1');
      const leadership = await coordination.campaign({ termMin: 0n, signal: never });
      await coordination.close();
      assert.equal(leadership.signal.aborted, true);
      await assert.rejects(coordination.get('x'));
    });

    it('gives up a campaign whose signal is aborted', async () => {
      await withStarted(async (coordination) => {
        const reason = new Error('enough');
        await assert.rejects(coordination.campaign({ termMin: 0n, signal: AbortSignal.abort(reason) }), reason);
        const leadership = await coordination.campaign({ termMin: 0n, signal: never });
        assert.equal(leadership.signal.aborted, false);
      });
    });
  });
}
