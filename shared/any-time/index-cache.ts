/**
 * What was last read of immutable files, by path: around one moment the same few are looked at again and again. What is not there is asked
 * for anew each time: it may come.
 */
export class IndexCache<T> {
  readonly #limit: number;
  readonly #found = new Map<string, T>();

  /** @param limit of files */
  constructor(limit: number) {
    this.#limit = limit;
  }

  async get(path: string, read: () => Promise<T | null>): Promise<T | null> {
    const known = this.#found.get(path) ?? (await read());
    if (known === null) return null;
    // The one that was asked for last stands at the end.
    this.#found.delete(path);
    this.#found.set(path, known);
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= this.#limit) break;
      this.#found.delete(oldest);
    }
    return known;
  }
}
