/**
 * Resolves when the first of the signals is aborted, and leaves no listener on the others: unlike `AbortSignal.any` and
 * `Promise.race` it may be used again and again with a signal that lives as long as the process.
 */
export function untilAborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const signal of signals) {
        signal.removeEventListener('abort', done);
      }
      resolve();
    };
    if (signals.some((signal) => signal.aborted)) {
      resolve();
      return;
    }
    for (const signal of signals) {
      signal.addEventListener('abort', done);
    }
  });
}
