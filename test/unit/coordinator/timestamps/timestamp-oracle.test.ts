import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Coordination, Leadership } from '../../../../coordinator/coordination/coordination.ts';
import { TimestampOracle } from '../../../../coordinator/timestamps/timestamp-oracle.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { hybridTimestamp, timestampMs } from '../../../../shared/timestamp/hybrid-timestamp.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';

/** Names in memory that every leader shares; writing can be made to fail before or after it happens. */
class FakeNames {
  readonly values = new Map<string, string>();
  currentTerm = 0n;
  failing: 'no' | 'before' | 'after' = 'no';
  puts = 0;

  readonly coordination = {
    get: (key: string) => Promise.resolve(this.values.get(key) ?? null),
  } as unknown as Coordination;

  elect(): Leadership & { confirmed: boolean } {
    this.currentTerm += 1n;
    const term = this.currentTerm;
    const leadership = {
      term,
      signal: new AbortController().signal,
      confirmed: true,
      holdsNames: () => leadership.confirmed && term === this.currentTerm,
      put: (key: string, value: string) => {
        this.puts += 1;
        if (term !== this.currentTerm) return Promise.reject(new TidemarkError('TM-LEAD-002', 'another leads'));
        if (this.failing !== 'before') this.values.set(key, value);
        if (this.failing !== 'no') return Promise.reject(new TidemarkError('TM-LEAD-003', 'no answer'));
        return Promise.resolve();
      },
      notifyHigherTerm: () => undefined,
      resign: () => Promise.resolve(),
    };
    return leadership;
  }
}

const arbitraryStep = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'next' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 9000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'elect' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fail' as const), how: fc.constantFrom('no', 'before', 'after') }),
  },
);

describe('timestamp oracle', () => {
  it('strictly increases over clock jumps, new leaders, zombies and failing writes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 60 }), async (steps) => {
        const names = new FakeNames();
        const clocks = [new FakeClock(), new FakeClock()];
        const oracles = clocks.map(
          (clock) => new TimestampOracle({ coordination: names.coordination, clock, windowMs: 100 }),
        );
        const leaderships: Leadership[] = [names.elect()];
        let last = 0n;
        for (const step of steps) {
          const leader = leaderships.length - 1;
          switch (step.kind) {
            case 'next': {
              for (let zombie = Math.max(0, leader - 2); zombie < leader; zombie++) {
                await assert.rejects(oracles[zombie % 2]!.next(leaderships[zombie]!));
              }
              const timestamp = await oracles[leader % 2]!.next(leaderships[leader]!).catch((error: unknown) => {
                assert.ok(error instanceof TidemarkError && error.code === 'TM-LEAD-003' && names.failing !== 'no');
                return null;
              });
              if (timestamp !== null) {
                assert.ok(timestamp > last, `${timestamp} after ${last}`);
                last = timestamp;
              }
              break;
            }
            case 'advance':
              for (const clock of clocks) clock.advance(step.ms);
              break;
            case 'jump':
              clocks[leader % 2]!.setWallClock(clocks[leader % 2]!.nowMs() + step.ms);
              break;
            case 'elect':
              leaderships.push(names.elect());
              break;
            case 'fail':
              names.failing = step.how;
              break;
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('follows the wall clock and writes once in a window', async () => {
    const names = new FakeNames();
    const clock = new FakeClock();
    const oracle = new TimestampOracle({ coordination: names.coordination, clock });
    const leadership = names.elect();
    for (let index = 0; index < 29; index++) {
      assert.equal(timestampMs(await oracle.next(leadership)), clock.nowMs());
      clock.advance(100);
    }
    assert.equal(names.puts, 1);
    clock.advance(100);
    await oracle.next(leadership);
    assert.equal(names.puts, 2);
  });

  it('answers calls at the same time with different timestamps, in order', async () => {
    const names = new FakeNames();
    const oracle = new TimestampOracle({ coordination: names.coordination, clock: new FakeClock() });
    const leadership = names.elect();
    const given = await Promise.all(Array.from({ length: 50 }, () => oracle.next(leadership)));
    for (const [index, timestamp] of given.entries()) {
      assert.ok(index === 0 || timestamp > given[index - 1]!);
    }
    assert.equal(names.puts, 1);
  });

  it('gives none while the leadership cannot be confirmed', async () => {
    const names = new FakeNames();
    const oracle = new TimestampOracle({ coordination: names.coordination, clock: new FakeClock() });
    const leadership = names.elect();
    await oracle.next(leadership);
    leadership.confirmed = false;
    await rejectsWithCode(oracle.next(leadership), 'TM-LEAD-003');
    leadership.confirmed = true;
    await oracle.next(leadership);
  });

  it('begins at the bound of the leader before', async () => {
    const names = new FakeNames();
    const clock = new FakeClock();
    const last = await new TimestampOracle({ coordination: names.coordination, clock }).next(names.elect());
    const first = await new TimestampOracle({ coordination: names.coordination, clock }).next(names.elect());
    assert.equal(first, hybridTimestamp(timestampMs(last) + 3000));
  });
});
