import assert from 'node:assert/strict';
import { ClockWatch } from '../../../../coordinator/clocks/clock-watch.ts';
import type { Leadership } from '../../../../coordinator/coordination/coordination.ts';
import type { Clock } from '../../../../shared/lifecycle/clock.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { ClockReading } from '../../../../shared/wal/clock-reading.ts';

const LEADERSHIP = { term: 7n } as Leadership;
const stream = { node: 'a', systemIdentifier: '70', timeline: 1 };
const BEHIND_US = 5_000_000n;

interface Call {
  readonly position: bigint;
  readonly tookMs: number;
  /** The leader's clock is set during the call, by this. */
  readonly setByMs?: number;
}

/** Lets the leader make calls until there are no more; the node reads its clock at the end of each. */
async function watchCalls(calls: readonly Call[]): Promise<ClockWatch> {
  let passedMs = 0;
  let setByMs = 0;
  const startMs = Date.UTC(2026, 10, 22, 12);
  const clock: Clock = {
    nowMs: () => Math.floor(startMs + setByMs + (passedMs += 0.001)),
    monotonicMs: () => (passedMs += 0.001),
    sleep: () => Promise.resolve(),
  };
  const stop = new AbortController();
  let made = 0;
  const watch = new ClockWatch({
    coordinatorId: 'east',
    nodes: () => [{ node: 'a' }, { node: 'silent' }],
    sampler: () => ({
      sample: (node) => {
        if (node === 'silent') throw new Error('it is away');
        const call = calls[made++];
        if (made >= calls.length) stop.abort();
        if (call === undefined) return Promise.reject(new Error('that was all'));
        passedMs += call.tookMs;
        setByMs += call.setByMs ?? 0;
        return Promise.resolve({
          ...stream,
          insertLsn: lsn(call.position),
          nodeTimeUs: BigInt(Math.round((startMs + setByMs + passedMs) * 1000)) - BEHIND_US,
          around: { beforeUs: 0, afterUs: 0 },
          agentClock: null,
          synchronous: false,
        });
      },
    }),
    clock,
    intervalMs: 0,
  });
  await watch.run(LEADERSHIP, stop.signal);
  return watch;
}

function assertTrue(readings: readonly ClockReading[]): ClockReading {
  const [reading, ...more] = readings;
  assert(reading !== undefined);
  assert.deepEqual(more, []);
  const errorUs = reading.offsetUs - BEHIND_US;
  assert(errorUs <= reading.uncertaintyUs && -errorUs <= reading.uncertaintyUs, `off by ${errorUs} µs`);
  return reading;
}

describe('clock watch', () => {
  it('gives each reading with the WAL that was written up to it, the newest only, once', async () => {
    const watch = await watchCalls([100n, 100n, 250n, 300n].map((position) => ({ position, tookMs: 0.1 })));
    assert.deepEqual(watch.take(stream, lsn(99n)), []);
    const reading = assertTrue(watch.take(stream, lsn(299n)));
    assert.deepEqual([reading.atLsn, reading.coordinatorId, reading.term], [250n, 'east', 7n]);
    assert.equal(assertTrue(watch.take(stream, lsn(300n))).atLsn, 300n);
    assert.deepEqual(watch.take(stream, lsn(300n)), []);
    assert.deepEqual(watch.take({ ...stream, timeline: 2 }, lsn(300n)), []);
  });

  it('asks again where a call took long, and keeps the reading of the shortest', async () => {
    const calls = [9, 4, 2, 6].map((tookMs, index) => ({ position: 100n + BigInt(index), tookMs }));
    const watch = await watchCalls(calls);
    const reading = assertTrue(watch.take(stream, lsn(1_000n)));
    assert.equal(reading.atLsn, 102n);
    assert(reading.uncertaintyUs < 1_100n, `${reading.uncertaintyUs} µs`);
  });

  it('keeps no reading during which the own clock was set', async () => {
    const watch = await watchCalls([
      { position: 100n, tookMs: 2 },
      { position: 200n, tookMs: 0.1, setByMs: 40 },
    ]);
    assert.equal(assertTrue(watch.take(stream, lsn(1_000n))).atLsn, 100n);
  });
});
