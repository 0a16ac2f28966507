import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably } from '../../shared/files/durable-file.ts';

const FILE_NAME = 'highest-term';

/**
 * The highest term that this agent has seen. It only rises, and it is durable before a call of that term is served: so
 * a leader that was paused and wakes up later is refused, also after a restart of the agent.
 */
export class TermGuard {
  readonly #file: string;
  readonly #listeners = new Set<() => void>();
  #highest: bigint;
  #durable: bigint;
  #writing: Promise<void> | null = null;

  private constructor(file: string, highest: bigint) {
    this.#file = file;
    this.#highest = highest;
    this.#durable = highest;
  }

  /** @throws TidemarkError TM-CONFIG-002 if the state directory or the file in it cannot be used */
  static async open(stateDirectory: string): Promise<TermGuard> {
    const file = path.join(stateDirectory, FILE_NAME);
    try {
      await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
      const text = (await readFile(file, 'utf8')).trim();
      if (!/^\d{1,20}$/.test(text)) {
        throw new TidemarkError('TM-CONFIG-002', `${file} does not hold a term`, {
          hint: 'Remove it: the agent then takes the term of the next leader that calls.',
        });
      }
      return new TermGuard(file, BigInt(text));
    } catch (error) {
      if (error instanceof TidemarkError) throw error;
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new TermGuard(file, 0n);
      throw new TidemarkError('TM-CONFIG-002', `state_directory ${stateDirectory} cannot be used: ${String(error)}`, {
        cause: error,
      });
    }
  }

  get highest(): bigint {
    return this.#highest;
  }

  /**
   * Lets a call of this term pass. When it resolves, the term is durable.
   * @throws TidemarkError TM-LEAD-002 if a higher one was seen
   */
  async admit(term: bigint, caller: string): Promise<void> {
    this.check(term, caller);
    if (term > this.#highest) {
      this.#highest = term;
      for (const listener of this.#listeners) listener();
    }
    while (this.#durable < term) {
      this.#writing ??= this.#write();
      await this.#writing;
    }
    this.check(term, caller);
  }

  /** @throws TidemarkError TM-LEAD-002 if a higher term was seen */
  check(term: bigint, caller: string): void {
    if (term < this.#highest) {
      throw new TidemarkError(
        'TM-LEAD-002',
        `coordinator ${caller} called with term ${term}, but term ${this.#highest} was seen already`,
      );
    }
  }

  /** Calls back after every rise. Returns the function that ends it. */
  onRise(listener: () => void): () => void {
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
