/**
 * Aborted with `signal`, and with a TimeoutError after `timeoutMs`. Instead of AbortSignal.any with AbortSignal.timeout: Node 20 collects a
 * timeout that nothing but AbortSignal.any refers to, and then it never comes. A listener of its own keeps it.
 */
export function withDeadline(signal: AbortSignal, timeoutMs: number): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  timeout.addEventListener('abort', () => {}, { once: true });
  return AbortSignal.any([signal, timeout]);
}
