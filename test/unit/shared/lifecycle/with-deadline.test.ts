import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { withDeadline } from '../../../../shared/lifecycle/with-deadline.ts';
import { waitFor } from '../../../support/wait-for.ts';

describe('a signal with a deadline', () => {
  it('comes to its end after a collection of garbage too', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const never = new AbortController().signal;
    const signals = Array.from({ length: 20 }, () => withDeadline(never, 100));
    const ended = signals.map((signal) => new Promise((resolve) => signal.addEventListener('abort', resolve)));
    // What is collected is finalized in a turn of its own.
    for (let turn = 0; turn < 3; turn++) {
      await new Promise(setImmediate);
      collectGarbage();
    }
    await waitFor('all have ended', () => signals.every(({ aborted }) => aborted), { timeoutMs: 5_000 });
    await Promise.all(ended);
    assert.match(String(signals[0]?.reason), /^TimeoutError/);
  });

  it('ends with the signal that it was made of, with its reason', () => {
    const stop = new AbortController();
    const signal = withDeadline(stop.signal, 60_000);
    stop.abort(new Error('told to'));
    assert.match(String(signal.reason), /told to/);
  });
});
