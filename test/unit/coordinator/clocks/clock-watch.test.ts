import assert from 'node:assert/strict';
import { ClockWatch } from '../../../../coordinator/clocks/clock-watch.ts';
import type { Leadership } from '../../../../coordinator/coordination/coordination.ts';
import type { Clock } from '../../../../shared/lifecycle/clock.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';

const LEADERSHIP = { term: 7n } as Leadership;
const stream = { node: 'a', systemIdentifier: '70', timeline: 1 };

describe('clock watch', () => {
  it('gives each reading with the WAL that was written up to it, the newest only, once', async () => {
    const nowMs = Date.UTC(2026, 10, 22, 12);
    const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => 0, sleep: () => Promise.resolve() };
    const positions = [100n, 100n, 250n, 300n];
    const stop = new AbortController();
    let samples = 0;
    const watch = new ClockWatch({
      coordinatorId: 'east',
      nodes: () => [{ node: 'a' }, { node: 'silent' }],
      sampler: () => ({
        sample: (node) => {
          if (node === 'silent') throw new Error('it is away');
          const position = positions[samples++] ?? 0n;
          if (samples === positions.length) stop.abort();
          // The node's clock is 5 s behind.
          const nodeTimeUs = BigInt(nowMs - 5000) * 1000n;
          return Promise.resolve({ ...stream, insertLsn: lsn(position), nodeTimeUs, synchronous: false });
        },
      }),
      clock,
      intervalMs: 0,
    });
    await watch.run(LEADERSHIP, stop.signal);

    assert.equal(samples, 4);
    assert.deepEqual(watch.take(stream, lsn(99n)), []);
    const [reading, ...more] = watch.take(stream, lsn(299n));
    assert.deepEqual(more, []);
    assert(reading !== undefined);
    assert.deepEqual([reading.atLsn, reading.coordinatorId, reading.term], [250n, 'east', 7n]);
    const errorUs = reading.offsetUs - 5_000_000n;
    assert(errorUs <= reading.uncertaintyUs && -errorUs <= reading.uncertaintyUs, `off by ${errorUs} µs`);
    assert.deepEqual(
      watch.take(stream, lsn(300n)).map(({ atLsn }) => atLsn),
      [300n],
    );
    assert.deepEqual(watch.take(stream, lsn(300n)), []);
    assert.deepEqual(watch.take({ ...stream, timeline: 2 }, lsn(300n)), []);
  });
});
