import { pino, type DestinationStream } from 'pino';
import type { ErrorCode } from '../errors/codes.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What the parts log with: fields first, then the sentence. Errors go into the field `err`. One JSON object a line, on stderr, because
 * stdout belongs to results.
 */
export type Logger = pino.Logger;

/** What is behind these is known only from its stack. */
const UNEXPLAINED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TM-INTERNAL-001', 'TM-RPC-003']);

interface LoggerSettings {
  /** The process: agent, coordinator. */
  readonly name: string;
  readonly level: LogLevel;
  /** Left out: stderr. Written to synchronously, so that the last lines before an exit are not lost. */
  readonly destination?: DestinationStream;
}

export function createLogger({ name, level, destination }: LoggerSettings): Logger {
  return pino(
    {
      name,
      level,
      serializers: { err: describeError },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      base: { pid: process.pid },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** For tests and for callers that want none. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}

/** An error as fields; causes are followed. Stacks are left out, of the causes too, where the code says it all. */
function describeError(error: unknown, depth = 0, stacks = true): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const coded = error instanceof TidemarkError && !UNEXPLAINED.has(error.code);
  const causeOf = () => describeError(error.cause, depth + 1, stacks && !coded);
  const cause = error.cause === undefined || depth >= 3 ? {} : { cause: causeOf() };
  if (error instanceof TidemarkError && error.code !== 'TM-INTERNAL-001') {
    return { code: error.code, message: error.message, hint: error.hint, retryable: error.retryable, ...cause };
  }
  const code = 'code' in error ? { code: error.code } : {};
  const stack = stacks ? { stack: error.stack } : {};
  return { type: error.name, ...code, message: error.message, ...stack, ...cause };
}
