import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { ObjectEntry, ReadableRepository, Repository } from '../../shared/repository/repository.ts';
import type { UnfinishedBackups } from '../backups/unfinished-backups.ts';
import { backupOf } from './mesh-objects.ts';

interface ObjectFetcherOptions {
  readonly repository: Repository;
  readonly unfinished: UnfinishedBackups;
  readonly logger: Logger;
}

/**
 * Brings objects of other copies into this one. Of one object one fetch runs at a time. A base backup's manifest is stored only when every
 * pack that its source holds is stored here, and none of them can be removed meanwhile, so a manifest always stands for a whole backup.
 */
export class ObjectFetcher {
  readonly #options: ObjectFetcherOptions;
  readonly #fetching = new Map<string, Promise<void>>();

  constructor(options: ObjectFetcherOptions) {
    this.#options = options;
  }

  /** Whether the object is stored here, by this or another call's doing; false if it is gone there, or exists here with another size. */
  async fetch(object: ObjectEntry, source: ReadableRepository): Promise<boolean> {
    const { repository, logger } = this.#options;
    await this.#fetching.get(object.path)?.catch(() => {});
    const own = await repository.stat(object.path);
    if (own !== null) {
      if (own.sizeBytes === object.sizeBytes) return true;
      logger.error({ path: object.path, source: source.name }, 'an object exists with another size than at a peer');
      return false;
    }
    const fetching = (async () => {
      await repository.create(object.path, exactly(object, source.read(object.path)));
    })();
    this.#fetching.set(object.path, fetching);
    try {
      await fetching;
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.code !== 'TM-REPO-002') throw error;
      // A base backup that failed takes its packs back.
      logger.debug({ path: object.path, source: source.name }, 'an object is gone before it was fetched');
      return false;
    } finally {
      this.#fetching.delete(object.path);
    }
    return true;
  }

  /**
   * A base backup that is whole at its source: its packs, then its manifest. Whether all of it is stored here.
   * @param onStored after each object that is stored here, also those that were before
   * @throws TidemarkError TM-REPO-006 if the source names something else among the packs
   */
  async fetchBackup(
    manifest: ObjectEntry,
    source: ReadableRepository,
    onStored: (path: string) => Promise<void>,
  ): Promise<boolean> {
    const prefix = backupOf(manifest.path) ?? '';
    return await this.#options.unfinished.exclusively(prefix, async () => {
      let isWhole = true;
      for await (const object of source.list(prefix)) {
        if (backupOf(object.path) !== prefix) {
          throw new TidemarkError('TM-REPO-006', `${source.name} lists ${object.path} below ${prefix}`);
        }
        if (object.path === manifest.path) continue;
        if (await this.fetch(object, source)) await onStored(object.path);
        else isWhole = false;
      }
      if (!isWhole || !(await this.fetch(manifest, source))) return false;
      await onStored(manifest.path);
      return true;
    });
  }
}

/** Fails before the end where an object has another length than was said, so that it is not stored. */
async function* exactly(object: ObjectEntry, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    yield chunk;
  }
  if (bytes !== object.sizeBytes) {
    throw new TidemarkError(
      'TM-REPO-003',
      `${object.path} has ${bytes} bytes, not the ${object.sizeBytes} that were said`,
    );
  }
}
