import { ERROR_CODES, type ErrorCode, type ExitCode } from './codes.ts';

interface TidemarkErrorOptions {
  /** What to do about it, when there is something better to say than the code's remedy. */
  readonly hint?: string;
  /** Overrides the code's default. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** An error that a user may meet: a stable code, what happened on what, a hint, and whether a retry helps. */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly exitCode: ExitCode;

  constructor(code: ErrorCode, message: string, options: TidemarkErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const kind = ERROR_CODES[code];
    this.name = 'TidemarkError';
    this.code = code;
    this.hint = options.hint ?? kind.remedy;
    this.retryable = options.retryable ?? kind.retryable;
    this.exitCode = kind.exitCode;
  }
}
