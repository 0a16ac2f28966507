import { assert } from '../../shared/errors/assert.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { advanceLsn, formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';

/** A contiguous run of WAL in a buffer that goes back to its WalBuffer by `release`. */
export interface WalRun {
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
  readonly bytes: Buffer;
}

export interface WalBufferOptions {
  /** Position of the first byte that will be appended. */
  readonly startLsn: Lsn;
  /** A power of two, at most 1 MiB. */
  readonly runBytesMax: number;
  /** At least 3. All the memory that is ever used. */
  readonly buffers: number;
  /** Makes one of them, of at least `runBytesMax`; no two may lie in one ArrayBuffer. */
  readonly makeBuffer: () => Buffer;
  /** A run that is not full is given out no sooner than this after the one before. */
  readonly coalesceMs: number;
  /** Whether nothing that was taken is still on its way: then a run is given out at once, as long as the server has no more. */
  readonly isIdle?: () => boolean;
  readonly clock: Clock;
  /** Called when there is room for nothing more than what may be on its way already, and when there is room again. */
  readonly onFull: () => void;
  readonly onRoom: () => void;
}

interface FillingRun {
  readonly buffer: Buffer;
  readonly startLsn: Lsn;
  usedBytes: number;
  /** Monotonic. */
  readonly startedAtMs: number;
}

/**
 * Stands between the socket, which is not to be kept waiting, and the compression. Bytes are copied in once; a run never crosses a
 * multiple of `runBytesMax`, and so never a segment's boundary. What is appended is what is taken, in order, nothing left out.
 */
export class WalBuffer {
  readonly #options: WalBufferOptions;
  readonly #free: Buffer[] = [];
  readonly #ready: WalRun[] = [];
  readonly #lent = new Map<ArrayBufferLike, Buffer>();
  #made = 0;
  #filling: FillingRun | null = null;
  #endLsn: Lsn;
  #serverEndLsn: Lsn;
  #takenAtMs: number;
  #ended = false;
  #failure: Error | null = null;
  #full = false;
  #wake: () => void = () => undefined;

  constructor(options: WalBufferOptions) {
    assert(options.runBytesMax <= FRAME_CONTENT_BYTES_MAX, 'a run fits into a frame');
    assert(options.buffers >= 3, 'one buffer fills, one is spare, one is worked on');
    this.#options = options;
    this.#endLsn = options.startLsn;
    this.#serverEndLsn = options.startLsn;
    this.#takenAtMs = options.clock.monotonicMs() - options.coalesceMs;
  }

  /** End of what was appended. */
  get endLsn(): Lsn {
    return this.#endLsn;
  }

  /**
   * Copies the bytes in.
   * @param serverEndLsn how far the server has more to send
   * @throws TidemarkError TM-WAL-003 if they do not follow what was appended before
   */
  append(startLsn: Lsn, bytes: Uint8Array, serverEndLsn: Lsn): void {
    if (startLsn !== this.#endLsn) {
      throw new TidemarkError(
        'TM-WAL-003',
        `PostgreSQL sent WAL from ${formatLsn(startLsn)} on, where ${formatLsn(this.#endLsn)} was to follow`,
      );
    }
    this.#serverEndLsn = serverEndLsn;
    for (let done = 0; done < bytes.byteLength;) {
      const run = (this.#filling ??= this.#startRun());
      const roomBytes = this.#roomAfter(run.startLsn) - run.usedBytes;
      const part = bytes.subarray(done, done + roomBytes);
      run.buffer.set(part, run.usedBytes);
      run.usedBytes += part.byteLength;
      done += part.byteLength;
      this.#endLsn = advanceLsn(this.#endLsn, part.byteLength);
      if (part.byteLength === roomBytes) this.#finishRun(run);
    }
    // Only now is it known that the server has no more.
    if (this.#options.isIdle !== undefined && this.#endLsn >= serverEndLsn) this.#wake();
    if (!this.#full && this.#spareBuffers() <= 1) {
      this.#full = true;
      this.#options.onFull();
    }
  }

  /** Whoever waits looks again: what was on its way has arrived. */
  wake(): void {
    this.#wake();
  }

  /** No more will be appended; what is there can still be taken. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** What is there can still be taken; then `take` throws this. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.end();
  }

  /**
   * The next run: a full one at once; one that is not full when nothing more is waiting at the server and the coalescing time has
   * passed. Null after the end.
   * @throws the error given to `fail`
   */
  async take(): Promise<WalRun | null> {
    while (true) {
      const run = this.#ready.shift();
      if (run !== undefined) return this.#handOut(run);
      const waitMs = this.#waitMs();
      if (waitMs !== null && waitMs <= 0) {
        const filling = this.#filling;
        assert(filling !== null, 'only bytes that are there can be due');
        this.#finishRun(filling);
        continue;
      }
      if (this.#ended && this.#filling === null) {
        if (this.#failure !== null) throw this.#failure;
        return null;
      }
      await this.#changed(waitMs);
    }
  }

  /** Gives a run's buffer back. */
  release(run: WalRun): void {
    const whole = this.#lent.get(run.bytes.buffer);
    assert(whole !== undefined, 'a run is released once');
    this.#lent.delete(run.bytes.buffer);
    this.#free.push(whole);
    if (this.#full && this.#spareBuffers() > 1) {
      this.#full = false;
      this.#options.onRoom();
    }
  }

  #handOut(run: WalRun): WalRun {
    this.#takenAtMs = this.#options.clock.monotonicMs();
    return run;
  }

  /** Until the run that fills is to be given out as it is; null if there is none. */
  #waitMs(): number | null {
    const run = this.#filling;
    if (run === null) return null;
    if (this.#ended) return 0;
    if (this.#endLsn >= this.#serverEndLsn && this.#options.isIdle?.() === true) return 0;
    const since = this.#endLsn >= this.#serverEndLsn ? this.#takenAtMs : Math.max(this.#takenAtMs, run.startedAtMs);
    return since + this.#options.coalesceMs - this.#options.clock.monotonicMs();
  }

  async #changed(waitMs: number | null): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      // Not cut short when something else wakes first: at most one of these short waits is left over for each run.
      if (waitMs !== null) void this.#options.clock.sleep(waitMs).then(resolve);
    });
  }

  #startRun(): FillingRun {
    const buffer = this.#free.pop() ?? this.#makeBuffer();
    // Whoever waits has to look at the clock now; later bytes of this run change nothing for them until it is full.
    this.#wake();
    return { buffer, startLsn: this.#endLsn, usedBytes: 0, startedAtMs: this.#options.clock.monotonicMs() };
  }

  #makeBuffer(): Buffer {
    assert(this.#made < this.#options.buffers, 'the socket is paused before the last buffer is used');
    this.#made += 1;
    const buffer = this.#options.makeBuffer();
    assert(buffer.length >= this.#options.runBytesMax, 'a buffer holds a whole run');
    return buffer;
  }

  #finishRun(run: FillingRun): void {
    this.#lent.set(run.buffer.buffer, run.buffer);
    this.#ready.push({
      startLsn: run.startLsn,
      endLsn: advanceLsn(run.startLsn, run.usedBytes),
      bytes: run.buffer.subarray(0, run.usedBytes),
    });
    this.#filling = null;
    this.#wake();
  }

  #spareBuffers(): number {
    return this.#options.buffers - this.#made + this.#free.length;
  }

  #roomAfter(startLsn: Lsn): number {
    const { runBytesMax } = this.#options;
    return runBytesMax - Number(startLsn % BigInt(runBytesMax));
  }
}
