import assert from 'node:assert/strict';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';

/** Asserts that the promise rejects with a TidemarkError of this code; returns the error. */
export async function rejectsWithCode(promise: Promise<unknown>, code: ErrorCode): Promise<TidemarkError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof TidemarkError, `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  assert.fail(`expected ${code}, but nothing was thrown`);
}
