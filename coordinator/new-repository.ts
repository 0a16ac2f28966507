import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { TidemarkError } from '../shared/errors/tidemark-error.ts';
import { PosixRepository } from '../shared/repository/posix-repository.ts';
import type { CoordinatorConfig } from './config/coordinator-config.ts';

/**
 * Makes the empty repository of a coordinator. That is its own step, asked for by a person: a coordinator that starts never takes an
 * empty directory (a mistyped path, a disk that is not mounted) for the copy that it had.
 * @returns its path
 * @throws TidemarkError TM-REPO-012 if there is one already, TM-REPO-001 if the directory cannot be used or is not empty
 */
export async function makeNewRepository(config: Pick<CoordinatorConfig, 'cluster' | 'repository'>): Promise<string> {
  const root = path.resolve(config.repository.path);
  const repositoryId = randomUUID();
  const repository = await PosixRepository.open(root, { create: { cluster: config.cluster, repositoryId } });
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
