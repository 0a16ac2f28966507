import assert from 'node:assert/strict';
import type { Clock } from '../../../../shared/lifecycle/clock.ts';
import { Backoff, retry } from '../../../../shared/lifecycle/retry.ts';

function recordingClock(): Clock & { readonly sleptMs: number[] } {
  const sleptMs: number[] = [];
  return {
    sleptMs,
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: async (durationMs, signal) => {
      signal?.throwIfAborted();
      sleptMs.push(durationMs);
    },
  };
}

describe('Backoff', () => {
  it('doubles up to its limit, between half and all of a step', () => {
    for (const [random, factor] of [
      [0, 0.5],
      [0.999999, 0.9999995],
    ] as const) {
      const backoff = new Backoff({ clock: recordingClock(), random: () => random, initialMs: 100, maxMs: 500 });
      const delays = [1, 2, 3, 4, 5].map(() => backoff.nextMs());
      assert.deepEqual(
        delays.map(Math.round),
        [100, 200, 400, 500, 500].map((step) => Math.round(step * factor)),
      );
      backoff.reset();
      assert.equal(Math.round(backoff.nextMs()), Math.round(100 * factor));
    }
  });
});

describe('retry', () => {
  it('tries until it works and tells of the failures', async () => {
    const clock = recordingClock();
    const failures: number[] = [];
    const result = await retry(
      async (attempt) => {
        if (attempt < 4) {
          throw new Error(`try ${attempt}`);
        }
        return attempt;
      },
      {
        clock,
        random: () => 0,
        shouldRetry: () => true,
        onFailure: (_, attempt) => {
          failures.push(attempt);
        },
      },
    );
    assert.equal(result, 4);
    assert.deepEqual(failures, [1, 2, 3]);
    assert.deepEqual(clock.sleptMs, [50, 100, 200]);
  });

  it('gives up when a retry does not help, or after the last attempt', async () => {
    const clock = recordingClock();
    const settings = {
      clock,
      random: () => 0,
      shouldRetry: (error: unknown) => (error as Error).message !== 'hopeless',
    };
    await assert.rejects(
      retry(async () => Promise.reject(new Error('hopeless')), settings),
      /hopeless/,
    );
    assert.deepEqual(clock.sleptMs, []);
    await assert.rejects(
      retry(async (attempt) => Promise.reject(new Error(`try ${attempt}`)), { ...settings, attemptsMax: 3 }),
      /try 3/,
    );
    assert.equal(clock.sleptMs.length, 2);
  });

  it('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const attempts = retry(
      async () => {
        controller.abort(reason);
        throw new Error('failed');
      },
      { clock: recordingClock(), random: () => 0, shouldRetry: () => true, signal: controller.signal },
    );
    await assert.rejects(attempts, reason);
  });
});
