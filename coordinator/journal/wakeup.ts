/** Lets others wait for a change that they then look at themselves. Nobody is woken between looking and waiting in one turn. */
export class Wakeup {
  readonly #waiting = new Set<() => void>();

  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }

  /** Resolves at the next `wake` or when the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    let resume = (): void => {};
    try {
      await new Promise<void>((resolve) => {
        resume = resolve;
        this.#waiting.add(resume);
        signal.addEventListener('abort', resume, { once: true });
      });
    } finally {
      this.#waiting.delete(resume);
      signal.removeEventListener('abort', resume);
    }
  }
}
