import { setMaxListeners } from 'node:events';

/** Of a longer one setTimeout makes 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** What ends together with a signal. */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Aborted with `signal`, and with a TimeoutError after `timeoutMs`; it may have any number of listeners. Not made by AbortSignal.any and
 * AbortSignal.timeout: Node 20 collects a timeout that nothing but AbortSignal.any refers to, and then it never comes; and a signal that lives
 * as long as the process never forgets what AbortSignal.any made of it. Here it does when the time is over.
 */
export function withDeadline(signal: AbortSignal, timeoutMs: number): AbortSignal {
  if (signal.aborted) return signal;
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const own = followersOf(signal);
  const end = () => {
    own.delete(follow);
    controller.abort(new DOMException(`it took longer than ${timeoutMs} ms`, 'TimeoutError'));
  };
  const timer = setTimeout(end, Math.min(timeoutMs, TIMER_MAX_MS)).unref();
  const follow = () => {
    clearTimeout(timer);
    controller.abort(signal.reason);
  };
  own.add(follow);
  return controller.signal;
}

/** One listener on the signal is enough for all of them. */
function followersOf(signal: AbortSignal): Set<() => void> {
  const known = followers.get(signal);
  if (known !== undefined) return known;
  const made = new Set<() => void>();
  followers.set(signal, made);
  signal.addEventListener(
    'abort',
    () => {
      for (const follow of made) follow();
      made.clear();
    },
    { once: true },
  );
  return made;
}
