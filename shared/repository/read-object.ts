import { TidemarkError } from '../errors/tidemark-error.ts';
import type { ReadableRepository } from './repository.ts';

/**
 * A small object as a whole.
 * @throws TidemarkError TM-REPO-002 if there is none, TM-REPO-003 if it has more than `bytesMax`
 */
export async function readObject(
  repository: Pick<ReadableRepository, 'name' | 'read'>,
  path: string,
  bytesMax: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of repository.read(path)) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new TidemarkError('TM-REPO-003', `${path} in ${repository.name} has more than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
