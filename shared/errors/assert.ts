import { TidemarkError } from './tidemark-error.ts';

/** States what must be true at this point; a failure is a defect in Tidemark (TM-INTERNAL-001), never bad input. */
export function assert(condition: boolean, statement: string): asserts condition {
  if (!condition) {
    throw new TidemarkError('TM-INTERNAL-001', `assertion failed: ${statement}`);
  }
}
