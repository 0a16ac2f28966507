import type { Logger } from '../../shared/observability/logger.ts';
import { manifestBelow } from '../../shared/repository/layout.ts';
import type { ObjectEntry, Repository } from '../../shared/repository/repository.ts';

const PACK_NAME = /^[0-9]{6,}\.pack$/;

interface UnfinishedBackupsOptions {
  readonly repository: Repository;
  readonly logger: Logger;
}

/**
 * Keeps packs and manifests of one repository together: where a backup's manifest is, none of its packs is ever removed, and no manifest comes to
 * where a pack of it is missing. For that, a backup that is being taken here is marked until its manifest can no more be written here,
 * and storing a manifest that was fetched excludes removing packs, for each backup. A backup is called by its prefix in the repository.
 */
export class UnfinishedBackups {
  readonly #options: UnfinishedBackupsOptions;
  readonly #taken = new Set<string>();
  /** For each backup that somebody works on, the end of the last one in the queue; never rejects. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(options: UnfinishedBackupsOptions) {
    this.#options = options;
  }

  /** Those that this coordinator is taking. */
  get taken(): readonly string[] {
    return [...this.#taken];
  }

  /** To be called before a backup's first pack is written. Returns the function that says that its manifest is written, or never will be. */
  begin(prefix: string): () => void {
    this.#taken.add(prefix);
    return () => this.#taken.delete(prefix);
  }

  /** Whether somebody here takes the backup, stores its manifest or removes its packs. */
  isBusy(prefix: string): boolean {
    return this.#taken.has(prefix) || this.#turns.has(prefix);
  }

  /** Whether other coordinators should have the packs: of a backup that is whole here, or may become so by this coordinator's work. */
  async areWanted(prefix: string): Promise<boolean> {
    return this.#taken.has(prefix) || (await this.#isWhole(prefix));
  }

  /** The packs that lie here. */
  async packs(prefix: string): Promise<readonly ObjectEntry[]> {
    const packs: ObjectEntry[] = [];
    for await (const object of this.#options.repository.list(prefix)) {
      if (PACK_NAME.test(object.path.slice(prefix.length))) packs.push(object);
    }
    return packs;
  }

  /** Runs `work` alone among all that is run for the same backup. */
  async exclusively<T>(prefix: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(prefix) ?? Promise.resolve()).then(work);
    const ended = turn.then(
      () => {},
      () => {},
    );
    this.#turns.set(prefix, ended);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(prefix) === ended) this.#turns.delete(prefix);
    }
  }

  /** Removes the packs of a backup that failed here. For the one who takes it: nobody else knows that it has. */
  async removeFailed(prefix: string): Promise<void> {
    await this.exclusively(prefix, () => this.#removePacks(prefix));
  }

  /** Removes the packs of a backup that nobody takes any more, unless it has a manifest here or somebody works on it here. */
  async removeAbandoned(prefix: string): Promise<void> {
    if (this.isBusy(prefix)) return;
    await this.exclusively(prefix, () => this.#removePacks(prefix));
  }

  async #removePacks(prefix: string): Promise<void> {
    const { repository, logger } = this.#options;
    if (await this.#isWhole(prefix)) return;
    let packs = 0;
    let bytes = 0;
    try {
      for (const { path, sizeBytes } of await this.packs(prefix)) {
        await repository.delete(path);
        packs += 1;
        bytes += sizeBytes;
      }
    } finally {
      const [, node, , , backup] = prefix.split('/');
      if (packs > 0)
        logger.info({ node, backup, packs, bytes }, 'removed the packs of a base backup that was not finished');
    }
  }

  async #isWhole(prefix: string): Promise<boolean> {
    return (await this.#options.repository.stat(manifestBelow(prefix))) !== null;
  }
}
