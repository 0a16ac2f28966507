import { assert } from '../../shared/errors/assert.ts';

type Outcome =
  { readonly kind: 'open' } | { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly error: unknown };

/** One producer, one consumer, at most `limit` items between them; the producer waits for room, the consumer for items. */
export class BoundedQueue<T> {
  readonly #limit: number;
  readonly #items: T[] = [];
  #outcome: Outcome = { kind: 'open' };
  #wakeProducer: () => void = () => undefined;
  #wakeConsumer: () => void = () => undefined;

  constructor(limit: number) {
    assert(limit >= 1, 'a queue holds an item');
    this.#limit = limit;
  }

  /** Resolves when the next item has room. False once the queue was ended or failed. */
  async room(): Promise<boolean> {
    while (this.#outcome.kind === 'open' && this.#items.length >= this.#limit) {
      await new Promise<void>((resolve) => {
        this.#wakeProducer = resolve;
      });
    }
    return this.#outcome.kind === 'open';
  }

  put(item: T): void {
    assert(this.#items.length < this.#limit, 'the producer waited for room');
    this.#items.push(item);
    this.#wakeConsumer();
  }

  /** No more items; those that are there can still be taken. */
  end(): void {
    this.#settle({ kind: 'ended' });
  }

  /** Those that are there can still be taken, then `take` throws `error`. */
  fail(error: unknown): void {
    this.#settle({ kind: 'failed', error });
  }

  /** The next item; null after the end. */
  async take(): Promise<T | null> {
    while (true) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#wakeProducer();
        return item;
      }
      if (this.#outcome.kind === 'ended') return null;
      if (this.#outcome.kind === 'failed') throw this.#outcome.error;
      await new Promise<void>((resolve) => {
        this.#wakeConsumer = resolve;
      });
    }
  }

  #settle(outcome: Outcome): void {
    if (this.#outcome.kind === 'open') this.#outcome = outcome;
    this.#wakeProducer();
    this.#wakeConsumer();
  }
}
