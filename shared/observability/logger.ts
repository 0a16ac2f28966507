import { pino, type DestinationStream } from 'pino';
import { TidemarkError } from '../errors/tidemark-error.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What the parts log with: fields first, then the sentence. Errors go into the field `err`. One JSON object a line, on stderr, because
 * stdout belongs to results.
 */
export type Logger = pino.Logger;

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

/** An error as fields. The stack is left out where the code says it all; causes are followed. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const cause = error.cause === undefined || depth >= 3 ? {} : { cause: describeError(error.cause, depth + 1) };
  if (error instanceof TidemarkError && error.code !== 'TM-INTERNAL-001') {
    return { code: error.code, message: error.message, hint: error.hint, retryable: error.retryable, ...cause };
  }
  const code = 'code' in error ? { code: error.code } : {};
  return { type: error.name, ...code, message: error.message, stack: error.stack, ...cause };
}
