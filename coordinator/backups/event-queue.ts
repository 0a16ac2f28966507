/** Events of concurrent jobs for one reader. Of what is keyed, only the newest waits, so the queue stays short. */
export class EventQueue<Event> {
  readonly #waiting: Event[] = [];
  readonly #newest = new Map<string, Event>();
  #wake: (() => void) | null = null;
  #ended = false;
  #failure: unknown = null;

  push(event: Event): void {
    this.#waiting.push(event);
    this.#wake?.();
  }

  /** Takes the place of an event with the same key that was not read yet. */
  replace(key: string, event: Event): void {
    this.#newest.set(key, event);
    this.#wake?.();
  }

  /** Nothing comes after what waits; with a failure, the reader gets that last. */
  end(failure: unknown = null): void {
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  async *read(): AsyncGenerator<Event> {
    for (;;) {
      const keyed = [...this.#newest.values()];
      this.#newest.clear();
      yield* keyed;
      const event = this.#waiting.shift();
      if (event !== undefined) {
        yield event;
      } else if (this.#newest.size === 0) {
        if (this.#ended) {
          if (this.#failure !== null) throw this.#failure;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    }
  }
}
