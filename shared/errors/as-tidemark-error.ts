import { TidemarkError } from './tidemark-error.ts';

/** The error itself if it has a code; else a defect (TM-INTERNAL-001) with the error as its cause. */
export function asTidemarkError(error: unknown): TidemarkError {
  if (error instanceof TidemarkError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new TidemarkError('TM-INTERNAL-001', message, { cause: error });
}
