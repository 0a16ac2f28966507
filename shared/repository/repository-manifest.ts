import { z } from 'zod';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { REPOSITORY_FORMAT, REPOSITORY_MANIFEST_PATH } from './layout.ts';

const NAME = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);

const manifestSchema = z.object({
  format: z.literal(REPOSITORY_FORMAT),
  cluster: NAME,
  repositoryId: NAME,
});

/** `tidemark.json`: says what a directory or bucket is. Written once, first of all. */
export type RepositoryManifest = z.infer<typeof manifestSchema>;

/** @throws TidemarkError TM-REPO-001 if a name is not a plain one */
export function encodeRepositoryManifest(manifest: RepositoryManifest): Buffer {
  const checked = manifestSchema.safeParse(manifest);
  if (!checked.success) {
    throw new TidemarkError('TM-REPO-001', `cannot make a repository: ${z.prettifyError(checked.error)}`, {
      hint: 'Names of clusters and repositories are letters, digits, ".", "_" and "-"; at most 63.',
      cause: checked.error,
    });
  }
  return Buffer.from(`${JSON.stringify(checked.data, null, 2)}\n`);
}

/**
 * @param where names the repository in messages
 * @throws TidemarkError TM-REPO-003 if it is not a manifest, TM-REPO-008 if its format is newer
 */
export function decodeRepositoryManifest(bytes: Uint8Array, where: string): RepositoryManifest {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new TidemarkError('TM-REPO-003', `${where}: ${REPOSITORY_MANIFEST_PATH} is not JSON`, { cause: error });
  }
  const format = z.object({ format: z.number() }).safeParse(value);
  if (format.success && format.data.format !== REPOSITORY_FORMAT) {
    throw new TidemarkError(
      'TM-REPO-008',
      `${where} has format ${format.data.format}, this program knows ${REPOSITORY_FORMAT}`,
    );
  }
  const manifest = manifestSchema.safeParse(value);
  if (!manifest.success) {
    throw new TidemarkError(
      'TM-REPO-003',
      `${where}: ${REPOSITORY_MANIFEST_PATH} is damaged: ${z.prettifyError(manifest.error)}`,
      { cause: manifest.error },
    );
  }
  return manifest.data;
}
