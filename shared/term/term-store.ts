import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { replaceFileDurably } from '../files/durable-file.ts';

/**
 * The highest term that this process has seen, from whomever. It never goes back, and is on disk before anyone acts on it: so
 * a leader that was paused and wakes up later is refused, also after a restart, and an etcd that was restored from an old
 * snapshot cannot bring an old term back to life.
 */
export class TermStore {
  readonly #file: string;
  readonly #listeners = new Set<(term: bigint) => void>();
  #highest: bigint;
  #durable: bigint;
  #writing: Promise<void> | null = null;

  private constructor(file: string, term: bigint) {
    this.#file = file;
    this.#highest = term;
    this.#durable = term;
  }

  /**
   * A file that is not there is one of term 0; its directory is made.
   * @throws TidemarkError TM-LEAD-004 if the file does not hold a term, TM-CONFIG-002 if it cannot be used
   */
  static async open(file: string): Promise<TermStore> {
    let content: string;
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      content = await readFile(file, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new TermStore(file, 0n);
      throw new TidemarkError('TM-CONFIG-002', `${file} cannot be used: ${String(error)}`, { cause: error });
    }
    const term = /^(\d{1,20})\n$/.exec(content)?.[1];
    if (term === undefined) throw new TidemarkError('TM-LEAD-004', `${file} does not hold a term`);
    return new TermStore(file, BigInt(term));
  }

  /** It may be still on its way to the disk. */
  get highest(): bigint {
    return this.#highest;
  }

  /** Remembers a term. When it resolves, this term or a higher one is durable. */
  async observe(term: bigint): Promise<void> {
    if (term > this.#highest) {
      this.#highest = term;
      for (const listener of this.#listeners) listener(term);
    }
    while (this.#durable < term) await (this.#writing ??= this.#write());
  }

  /**
   * Lets a call of this term pass. When it resolves, the term is durable.
   * @throws TidemarkError TM-LEAD-002 if a higher one was seen
   */
  async admit(term: bigint, caller: string): Promise<void> {
    this.check(term, caller);
    await this.observe(term);
    this.check(term, caller);
  }

  /** @throws TidemarkError TM-LEAD-002 if a higher term was seen */
  check(term: bigint, caller: string): void {
    if (term >= this.#highest) return;
    throw new TidemarkError('TM-LEAD-002', `${caller} acts in term ${term}, but term ${this.#highest} has begun`);
  }

  /** Calls back with every term higher than all before, before it is durable. Returns the function that ends it. */
  onRaised(listener: (term: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #write(): Promise<void> {
    const term = this.#highest;
    try {
      await replaceFileDurably(this.#file, `${term}\n`);
      this.#durable = term;
    } finally {
      this.#writing = null;
    }
  }
}
