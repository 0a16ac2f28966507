import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { FineWallClock } from '../../../../coordinator/clocks/fine-wall-clock.ts';
import type { Clock } from '../../../../shared/lifecycle/clock.ts';

/** Each look takes some time, of which the wall clock shows whole milliseconds. */
class SlowClock implements Clock {
  #setToMs: number;
  #passedMs = 0;
  readonly #lookMs: () => number;
  readonly #rate: number;

  constructor(wallMs: number, lookMs: () => number, driftPpm: number) {
    this.#setToMs = wallMs;
    this.#lookMs = lookMs;
    this.#rate = 1 + driftPpm / 1e6;
  }

  get wallMs(): number {
    return this.#setToMs + this.#passedMs * this.#rate;
  }

  set(byMs: number): void {
    this.#setToMs += byMs;
  }

  pass(ms: number): void {
    this.#passedMs += ms;
  }

  nowMs(): number {
    this.pass(this.#lookMs());
    return Math.floor(this.wallMs);
  }

  monotonicMs(): number {
    this.pass(this.#lookMs());
    return 5_000 + this.#passedMs;
  }

  async sleep(): Promise<void> {
    await Promise.resolve();
  }
}

describe('a fine wall clock', () => {
  const looks = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(0.001) }, fc.constantFrom(0.01, 0.3, 2.5)), {
    minLength: 1,
    maxLength: 50,
  });

  it('holds the true time, whatever a look takes, and notices that it was set', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        looks,
        fc.integer({ min: -450, max: 450 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 5 }),
        fc.constantFrom(-900, -25, 0, 25, 3_600_000),
        (fraction, takes, driftPpm, pauses, setByMs) => {
          let look = 0;
          const clock = new SlowClock(1_795_000_000_000 + fraction, () => takes[look++ % takes.length] ?? 0, driftPpm);
          const fine = new FineWallClock(clock);
          const check = () => {
            const fromMs = clock.wallMs;
            const read = fine.read();
            assert(read.earliestMs <= clock.wallMs && read.latestMs >= fromMs, `${JSON.stringify(read)} at ${fromMs}`);
            return read.settings;
          };
          check();
          fine.adjust();
          for (const pause of pauses) {
            clock.pass(pause);
            assert.equal(check(), 0);
          }
          clock.set(setByMs);
          const seen = check();
          assert.equal(seen, setByMs === 0 ? 0 : 1);
        },
      ),
    );
  });

  it('is exact to hundredths of a millisecond where a look takes a microsecond', () => {
    const clock = new SlowClock(1_795_000_000_000.4, () => 0.001, 0);
    const fine = new FineWallClock(clock);
    fine.adjust();
    clock.pass(20);
    const { earliestMs, latestMs } = fine.read();
    assert(latestMs - earliestMs < 0.05, `${latestMs - earliestMs} ms`);
  });
});
