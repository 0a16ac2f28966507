import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { SnapshotRequests } from '../../../../coordinator/snapshots/snapshot-requests.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { heapGrowth } from '../../../support/heap-growth.ts';

describe('requests for snapshots', () => {
  it('are waited for again and again without a trace on the signal of the leadership', async () => {
    const never = new AbortController().signal;
    const requests = new SnapshotRequests({ ...systemClock, sleep: async () => {} });
    const grown = await heapGrowth(async () => {
      for (let count = 0; count < 20_000; count++) await requests.wait(1_000, never);
    });
    assert(grown < 500_000, `${grown} bytes more after 20,000 waits`);
    assert.equal(getEventListeners(never, 'abort').length, 0);
  });

  it('wake who waits for them, and so does the end', async () => {
    const stop = new AbortController();
    const requests = new SnapshotRequests(systemClock);
    const woken = requests.wait(60_000, stop.signal);
    const request = requests.add('now');
    await woken;
    requests.take().reject(new Error('enough'));
    await assert.rejects(request, /enough/);
    const ended = requests.wait(60_000, stop.signal);
    stop.abort();
    await ended;
    await requests.wait(60_000, stop.signal);
  });
});
