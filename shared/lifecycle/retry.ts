import type { Clock } from './clock.ts';

export interface BackoffSettings {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly initialMs?: number;
  readonly maxMs?: number;
}

/**
 * How long to wait before trying again: doubling from `initialMs` to `maxMs`, each time somewhere between half of it and all of
 * it, so that many who failed together do not come back together.
 */
export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #initialMs: number;
  readonly #maxMs: number;
  #stepMs: number;

  constructor(settings: BackoffSettings) {
    this.#settings = settings;
    this.#initialMs = settings.initialMs ?? 100;
    this.#maxMs = settings.maxMs ?? 5_000;
    this.#stepMs = this.#initialMs;
  }

  /** The next delay in milliseconds. */
  nextMs(): number {
    const delayMs = this.#stepMs * (0.5 + this.#settings.random() / 2);
    this.#stepMs = Math.min(this.#stepMs * 2, this.#maxMs);
    return delayMs;
  }

  /** To be called when an attempt worked: the next failure waits `initialMs` again. */
  reset(): void {
    this.#stepMs = this.#initialMs;
  }

  /** Waits the next delay; rejects with the signal's reason when it is aborted. */
  async wait(signal?: AbortSignal): Promise<void> {
    await this.#settings.clock.sleep(this.nextMs(), signal);
  }
}

export interface RetrySettings extends BackoffSettings {
  readonly signal?: AbortSignal;
  /** Tries at most; left out: for ever. */
  readonly attemptsMax?: number;
  readonly shouldRetry: (error: unknown) => boolean;
  /** For logs and metrics. */
  readonly onFailure?: (error: unknown, attempt: number) => void;
}

/** Runs `operation` until it works. Rejects with its last error when that is not to be retried, or with the signal's reason. */
export async function retry<T>(operation: (attempt: number) => Promise<T>, settings: RetrySettings): Promise<T> {
  const backoff = new Backoff(settings);
  for (let attempt = 1; ; attempt++) {
    settings.signal?.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      settings.signal?.throwIfAborted();
      if (attempt >= (settings.attemptsMax ?? Infinity) || !settings.shouldRetry(error)) {
        throw error;
      }
      settings.onFailure?.(error, attempt);
    }
    await backoff.wait(settings.signal);
  }
}
