import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably } from '../../shared/files/durable-file.ts';

/**
 * The highest term that this coordinator has seen, from the coordination service, a peer or an agent. It never goes back, and is
 * on disk before anyone acts on it: so an etcd that was restored from an old snapshot cannot bring an old term back to life.
 */
export class TermStore {
  readonly #file: string;
  readonly #listeners = new Set<(term: bigint) => void>();
  #seen: bigint;
  #durable: bigint;
  #writing: Promise<void> | null = null;

  private constructor(file: string, term: bigint) {
    this.#file = file;
    this.#seen = term;
    this.#durable = term;
  }

  /** @throws TidemarkError TM-REPO-003 if the file is there but not a term */
  static async open(file: string): Promise<TermStore> {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    let content: string;
    try {
      content = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return new TermStore(file, 0n);
      }
      throw error;
    }
    const match = /^(\d{1,20})\n$/.exec(content);
    if (match?.[1] === undefined) {
      throw new TidemarkError('TM-REPO-003', `${file} does not hold a term`, {
        hint: 'Write the highest term known into it (see tidemark leader show on the others), followed by a line feed.',
      });
    }
    return new TermStore(file, BigInt(match[1]));
  }

  /** The highest term seen; it may be still on its way to the disk. */
  get highest(): bigint {
    return this.#seen;
  }

  /** Remembers a term. When it resolves, this term or a higher one is durable. */
  async observe(term: bigint): Promise<void> {
    if (term > this.#seen) {
      this.#seen = term;
      for (const listener of this.#listeners) {
        listener(term);
      }
    }
    while (this.#durable < term) {
      await (this.#writing ??= this.#write());
    }
  }

  /**
   * For a call that carries a term: remembers it, and refuses one that is lower than what was seen.
   * @throws TidemarkError TM-LEAD-002
   */
  async admit(term: bigint, caller: string): Promise<void> {
    if (term < this.#seen) {
      throw new TidemarkError('TM-LEAD-002', `${caller} acts in term ${term}, but term ${this.#seen} has begun`);
    }
    await this.observe(term);
  }

  /** Calls back with every term higher than all before. Returns the function that ends it. */
  onRaised(listener: (term: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #write(): Promise<void> {
    try {
      const term = this.#seen;
      await replaceFileDurably(this.#file, `${term}\n`);
      this.#durable = term;
    } finally {
      this.#writing = null;
    }
  }
}
