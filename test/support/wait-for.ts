import { setTimeout as delay } from 'node:timers/promises';

interface WaitOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** Ends the wait early with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Waits until `condition` gives something other than false, null or undefined, and returns that. An error thrown by the condition
 * means "not yet"; the last one is the cause when the time is over.
 * @param what what is waited for, for the message
 * @throws Error when the time is over
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 30_000, intervalMs = 25, signal } = options;
  const giveUpAt = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= giveUpAt) {
      const reason = cause instanceof Error ? `: ${cause.message}` : '';
      throw new Error(`${what}: not within ${timeoutMs} ms${reason}`, { cause });
    }
    await delay(intervalMs);
  }
}
