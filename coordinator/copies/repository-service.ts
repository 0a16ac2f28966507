import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import type { RepositoryHandlers } from '../../shared/rpc/generated/tidemark/v1/Repository.ts';
import { serverStreamHandler, unaryHandler } from '../../shared/rpc/handlers.ts';

/** The rpc service Repository over a coordinator's copy (a CopyReader): whoever restores or follows reads through it. */
export function repositoryService(copy: ReadableRepository): RepositoryHandlers {
  return {
    ListObjects: serverStreamHandler(async function* ({ prefix }) {
      for await (const entry of copy.list(prefix)) yield entry;
    }),

    StatObject: unaryHandler(async ({ path }) => {
      const entry = await copy.stat(path);
      if (entry === null) throw new TidemarkError('TM-REPO-002', `${path} does not exist in ${copy.name}`);
      return entry;
    }),

    ReadObject: serverStreamHandler(async function* ({ path, offsetBytes, lengthBytes }) {
      const length = Number(lengthBytes);
      const range = { offsetBytes: Number(offsetBytes), ...(length === 0 ? {} : { lengthBytes: length }) };
      for await (const data of copy.read(path, range)) yield { data };
    }),
  };
}
