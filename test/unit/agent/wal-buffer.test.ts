import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { WalBuffer } from '../../../agent/wal-receiver/wal-buffer.ts';
import type { Clock } from '../../../shared/lifecycle/clock.ts';
import { advanceLsn, lsn, type Lsn } from '../../../shared/postgres/lsn.ts';

const MIB = 1024 * 1024;

/** Time that passes only when something waits for it. */
class ManualClock implements Clock {
  timeMs = 1_000;
  nowMs(): number {
    return this.timeMs;
  }
  monotonicMs(): number {
    return this.timeMs;
  }
  sleep(durationMs: number): Promise<void> {
    this.timeMs += durationMs;
    return Promise.resolve();
  }
}

/** A byte that depends on its position, so that anything out of place shows. */
function walAt(position: Lsn, bytes: number): Buffer {
  const content = Buffer.allocUnsafe(bytes);
  const start = Number(position);
  for (let index = 0; index < bytes; index++) {
    const place = start + index;
    content[index] = place ^ (place >> 8) ^ (place >> 16);
  }
  return content;
}

function bufferAt(
  startLsn: Lsn,
  changes: { onFull?: () => void; onRoom?: () => void; coalesceMs?: number; isIdle?: () => boolean } = {},
) {
  const clock = new ManualClock();
  const buffer = new WalBuffer({
    startLsn,
    runBytesMax: MIB,
    buffers: 4,
    makeBuffer: () => Buffer.allocUnsafeSlow(MIB),
    coalesceMs: changes.coalesceMs ?? 20,
    clock,
    ...(changes.isIdle === undefined ? {} : { isIdle: changes.isIdle }),
    onFull: changes.onFull ?? (() => undefined),
    onRoom: changes.onRoom ?? (() => undefined),
  });
  return { buffer, clock };
}

describe('WalBuffer', () => {
  it('gives out every byte once, in order, and no run across a multiple of 1 MiB', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 * MIB }),
        fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.boolean()),
        async (offset, sizes, takes) => {
          const startLsn = lsn(BigInt(16 * MIB + offset));
          const socket = { paused: false };
          const { buffer } = bufferAt(startLsn, {
            onFull: () => {
              socket.paused = true;
            },
            onRoom: () => {
              socket.paused = false;
            },
          });
          let takenLsn = startLsn;
          const takeOne = async (): Promise<boolean> => {
            const run = await buffer.take();
            if (run === null) return false;
            assert.equal(run.startLsn, takenLsn);
            assert.equal(run.bytes.byteLength, Number(run.endLsn - run.startLsn));
            assert.equal(run.startLsn / BigInt(MIB), (run.endLsn - 1n) / BigInt(MIB));
            assert.ok(run.bytes.equals(walAt(run.startLsn, run.bytes.byteLength)));
            takenLsn = run.endLsn;
            buffer.release(run);
            return true;
          };
          for (const size of sizes) {
            while (socket.paused) await takeOne();
            const serverEndLsn = advanceLsn(buffer.endLsn, size);
            buffer.append(buffer.endLsn, walAt(buffer.endLsn, size), serverEndLsn);
            if (takes.next().value === true) await takeOne();
          }
          buffer.end();
          while (await takeOne());
          assert.equal(takenLsn, buffer.endLsn);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('copies: what it was given may be overwritten at once', async () => {
    const { buffer } = bufferAt(lsn(0x100000n));
    const chunk = Buffer.from('abcdef');
    buffer.append(lsn(0x100000n), chunk, lsn(0x100006n));
    chunk.fill('x');
    const run = await buffer.take();
    assert.equal(run?.bytes.toString(), 'abcdef');
  });

  it('gives out small pieces at once after a pause, and gathers them under load', async () => {
    const { buffer, clock } = bufferAt(lsn(0x100000n));
    const startedMs = clock.timeMs;
    buffer.append(lsn(0x100000n), Buffer.alloc(10), lsn(0x10000an));
    await buffer.take();
    assert.equal(clock.timeMs, startedMs);
    buffer.append(lsn(0x10000an), Buffer.alloc(10), lsn(0x100014n));
    const run = await buffer.take();
    assert.equal(clock.timeMs, startedMs + 20);
    assert.equal(run?.endLsn, lsn(0x100014n));
  });

  it('asks for a pause while one buffer is left, and goes on when one came back', async () => {
    const calls: string[] = [];
    const { buffer } = bufferAt(lsn(0n), { onFull: () => calls.push('full'), onRoom: () => calls.push('room') });
    const append = (bytes: number): void => {
      buffer.append(buffer.endLsn, Buffer.alloc(bytes), lsn(1n << 40n));
    };
    append(MIB);
    append(MIB);
    assert.deepEqual(calls, []);
    append(MIB - 10);
    assert.deepEqual(calls, ['full']);
    // What was on its way already.
    append(192 * 1024);
    const first = await buffer.take();
    const second = await buffer.take();
    assert.ok(first !== null && second !== null);
    buffer.release(first);
    assert.deepEqual(calls, ['full']);
    buffer.release(second);
    assert.deepEqual(calls, ['full', 'room']);
    assert.throws(() => buffer.release(second), { code: 'TM-INTERNAL-001' });
  });

  it('refuses a gap and a repetition', () => {
    const { buffer } = bufferAt(lsn(0x100000n));
    assert.throws(() => buffer.append(lsn(0x100001n), Buffer.alloc(1), lsn(0x100002n)), { code: 'TM-WAL-003' });
    assert.throws(() => buffer.append(lsn(0xfffffn), Buffer.alloc(1), lsn(0x100002n)), { code: 'TM-WAL-003' });
  });

  it('hands out what came before a failure, then the failure', async () => {
    const { buffer } = bufferAt(lsn(0x100000n));
    buffer.append(lsn(0x100000n), Buffer.alloc(10), lsn(0x100064n));
    buffer.fail(new Error('gone'));
    assert.equal((await buffer.take())?.endLsn, lsn(0x10000an));
    await assert.rejects(buffer.take(), /gone/);
  });

  it('ends a wait when nothing more will come', async () => {
    const { buffer } = bufferAt(lsn(0x100000n));
    const taken = buffer.take();
    buffer.end();
    assert.equal(await taken, null);
  });

  it('gives out the next piece at once when the one before has arrived, as long as the server has no more', async () => {
    const startLsn = lsn(BigInt(16 * MIB));
    let isIdle = true;
    const { buffer, clock } = bufferAt(startLsn, { isIdle: () => isIdle });
    const startedAtMs = clock.timeMs;
    const append = (bytes: number, more: number) =>
      buffer.append(buffer.endLsn, walAt(buffer.endLsn, bytes), advanceLsn(buffer.endLsn, bytes + more));
    const takeBytes = async () => {
      const run = await buffer.take();
      assert(run !== null);
      buffer.release(run);
      return run.bytes.byteLength;
    };
    append(10, 0);
    assert.equal(await takeBytes(), 10);
    append(20, 0);
    assert.equal(await takeBytes(), 20);
    assert.equal(clock.timeMs, startedAtMs, 'nothing was waited for');
    // The rest of what the server has comes right behind.
    append(30, 5);
    append(5, 0);
    assert.equal(await takeBytes(), 35);
    assert.equal(clock.timeMs, startedAtMs);
    isIdle = false;
    append(40, 0);
    assert.equal(await takeBytes(), 40);
    assert(clock.timeMs >= startedAtMs + 20, 'the coalescing time bounds the wait');
  });

  it('looks again when it is woken', async () => {
    const startLsn = lsn(BigInt(16 * MIB));
    let isIdle = false;
    const { buffer, clock } = bufferAt(startLsn, { isIdle: () => isIdle });
    clock.sleep = () => new Promise(() => undefined);
    buffer.append(startLsn, walAt(startLsn, 10), advanceLsn(startLsn, 10));
    assert.equal((await buffer.take())?.bytes.byteLength, 10);
    buffer.append(buffer.endLsn, walAt(buffer.endLsn, 7), advanceLsn(buffer.endLsn, 7));
    const taking = buffer.take();
    isIdle = true;
    buffer.wake();
    assert.equal((await taking)?.bytes.byteLength, 7);
  });
});
