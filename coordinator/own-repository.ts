import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { TidemarkError } from '../shared/errors/tidemark-error.ts';
import { asTidemarkError } from '../shared/errors/as-tidemark-error.ts';
import type { Clock } from '../shared/lifecycle/clock.ts';
import { retry } from '../shared/lifecycle/retry.ts';
import type { Logger } from '../shared/observability/logger.ts';
import { PosixRepository } from '../shared/repository/posix-repository.ts';
import type { CoordinatorConfig } from './config/coordinator-config.ts';
import type { Coordination } from './coordination/coordination.ts';

type RepositoryConfig = Pick<CoordinatorConfig, 'cluster' | 'repository'>;

interface OwnRepositoryOptions {
  readonly config: RepositoryConfig;
  readonly coordination: Pick<Coordination, 'knownRepository'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** The process is told to stop. */
  readonly signal: AbortSignal;
}

/**
 * Opens the repository of a coordinator that starts, and makes it if this coordinator never had one. Where it had one, an empty directory
 * (a mistyped path, a disk that is not mounted) is never taken for it: a copy that begins anew unseen is one copy less.
 * @throws TidemarkError TM-REPO-011 if there is none and there was one before, TM-REPO-001 if it cannot be used or is in use, TM-REPO-005
 * if it belongs to another cluster; the signal's reason
 */
export async function openOwnRepository(options: OwnRepositoryOptions): Promise<PosixRepository> {
  const { config, coordination, logger } = options;
  const root = path.resolve(config.repository.path);
  try {
    return await PosixRepository.open(root, { cluster: config.cluster });
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'TM-REPO-011') throw error;
    const known = await retry(() => coordination.knownRepository(), {
      ...options,
      shouldRetry: (err) => asTidemarkError(err).retryable,
      onFailure: (err, attempt) => {
        if (attempt === 1) logger.warn({ err }, 'waiting to hear whether this coordinator had a repository before');
      },
    });
    if (known !== null) {
      throw new TidemarkError('TM-REPO-011', `${error.message}; this coordinator had the repository ${known}`, {
        cause: error,
      });
    }
    const repository = await create(config, root, randomUUID());
    logger.info(
      { path: root, repositoryId: repository.manifest.repositoryId },
      'made this coordinator’s first repository',
    );
    return repository;
  }
}

/**
 * Makes an empty repository in the place of one that is lost: a person asks for it.
 * @returns its path
 * @throws TidemarkError TM-REPO-012 if there is one already, TM-REPO-001 if the directory cannot be used or is not empty
 */
export async function makeNewRepository(config: RepositoryConfig): Promise<string> {
  const root = path.resolve(config.repository.path);
  const repositoryId = randomUUID();
  const repository = await create(config, root, repositoryId);
  try {
    const { manifest } = repository;
    if (manifest.repositoryId !== repositoryId) {
      throw new TidemarkError('TM-REPO-012', `${root} is the repository ${manifest.repositoryId} already`);
    }
  } finally {
    await repository.close();
  }
  return root;
}

async function create({ cluster }: RepositoryConfig, root: string, repositoryId: string): Promise<PosixRepository> {
  return await PosixRepository.open(root, { create: { cluster, repositoryId } });
}
