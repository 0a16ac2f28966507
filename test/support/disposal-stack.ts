/** Disposes what it was given, the last one first, all of them even if one fails. Node 20 has no AsyncDisposableStack. */
export class DisposalStack implements AsyncDisposable {
  readonly #owned: AsyncDisposable[] = [];

  /** Takes ownership and returns its argument. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** Runs `dispose` when its turn comes. */
  defer(dispose: () => Promise<void>): void {
    this.#owned.push({ [Symbol.asyncDispose]: dispose });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (let resource = this.#owned.pop(); resource !== undefined; resource = this.#owned.pop()) {
      try {
        await resource[Symbol.asyncDispose]();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'several resources could not be disposed of');
  }
}
