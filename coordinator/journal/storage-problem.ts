import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { storageError } from '../../shared/repository/posix-paths.ts';

/** Whatever stopped an attempt that will be made again, as something to show. */
export function asProblem(error: unknown, action: string): TidemarkError {
  const known = storageError(error, action);
  if (known instanceof TidemarkError) return known;
  const text = error instanceof Error ? error.message : String(error);
  return new TidemarkError('TM-INTERNAL-001', `cannot ${action}: ${text}`, { cause: error });
}
