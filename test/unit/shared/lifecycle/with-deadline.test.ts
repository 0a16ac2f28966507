import assert from 'node:assert/strict';
import { withDeadline } from '../../../../shared/lifecycle/with-deadline.ts';
import { collectGarbage, heapGrowth } from '../../../support/heap-growth.ts';
import { waitFor } from '../../../support/wait-for.ts';

describe('a signal with a deadline', () => {
  it('comes to its end after a collection of garbage too', async () => {
    const never = new AbortController().signal;
    const signals = Array.from({ length: 20 }, () => withDeadline(never, 100));
    const ended = signals.map((signal) => new Promise((resolve) => signal.addEventListener('abort', resolve)));
    await collectGarbage();
    await waitFor('all have ended', () => signals.every(({ aborted }) => aborted), { timeoutMs: 5_000 });
    await Promise.all(ended);
    assert.match(String(signals[0]?.reason), /^TimeoutError/);
  });

  it('ends with the signal that it was made of, with its reason', () => {
    const stop = new AbortController();
    const signals = [60_000, 2 ** 40].map((timeoutMs) => withDeadline(stop.signal, timeoutMs));
    stop.abort(new Error('told to'));
    for (const { reason } of [...signals, withDeadline(stop.signal, 60_000)]) assert.match(String(reason), /told to/);
  });

  it('is forgotten by a signal that lives on', async () => {
    const never = new AbortController().signal;
    const grown = await heapGrowth(async () => {
      const signals = Array.from({ length: 5_000 }, () => withDeadline(never, 1));
      await waitFor('all have ended', () => signals.every(({ aborted }) => aborted), { timeoutMs: 5_000 });
    });
    assert(grown < 150_000, `${grown} bytes more after 5,000 of them`);
  });

  it('may be waited for by many', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    try {
      const never = new AbortController().signal;
      const signals = Array.from({ length: 20 }, () => withDeadline(never, 60_000));
      for (let count = 0; count < 20; count++) signals[0]?.addEventListener('abort', () => {});
      // A warning is given in the next turn.
      await new Promise(setImmediate);
    } finally {
      process.off('warning', onWarning);
    }
    assert.deepEqual(warnings, []);
  });
});
