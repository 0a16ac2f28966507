import { DatabaseError } from 'pg';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';

/** The SQLSTATE of an error from PostgreSQL, else null. */
export function sqlState(error: unknown): string | null {
  return error instanceof DatabaseError ? (error.code ?? null) : null;
}

// Class 08 connection, 57P admin shutdown and start-up, 53300 too many connections.
const UNREACHABLE_STATE = /^(08...|57P0[1-5]|53300)$/;
const UNREACHABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
// What pg says when a connection ends; it gives these errors no code.
const UNREACHABLE_TEXT = /connection terminated|timeout expired|timeout exceeded|not queryable|connection error/i;

/**
 * What went wrong with PostgreSQL, as an error that a user may meet.
 * @param what what was being done, for the message: "reading the instance"
 */
export function toPostgresError(error: unknown, what: string): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const state = sqlState(error);
  if (state !== null) {
    if (UNREACHABLE_STATE.test(state)) {
      return new TidemarkError('TM-PG-001', `${what}: PostgreSQL ended the connection: ${message}`, { cause: error });
    }
    if (state.startsWith('28')) {
      return new TidemarkError('TM-PG-002', `${what}: PostgreSQL refused the login: ${message}`, {
        hint: 'Check postgres.user and postgres.password_file, and pg_hba.conf (also its "replication" lines).',
        cause: error,
      });
    }
    if (state === '42501') {
      return new TidemarkError('TM-PG-002', `${what}: ${message}`, {
        hint: 'The user needs REPLICATION, the role pg_monitor, and EXECUTE on pg_backup_start and pg_backup_stop.',
        cause: error,
      });
    }
    if (state === '55000' && message.includes('wal_level')) {
      return new TidemarkError('TM-PG-002', `${what}: ${message}`, {
        hint: 'Set wal_level to replica and restart PostgreSQL.',
        cause: error,
      });
    }
    return new TidemarkError('TM-PG-004', `${what}: ${message} (SQLSTATE ${state})`, { cause: error });
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if ((typeof code === 'string' && UNREACHABLE_CODES.has(code)) || UNREACHABLE_TEXT.test(message)) {
    return new TidemarkError('TM-PG-001', `${what}: PostgreSQL cannot be reached: ${message}`, { cause: error });
  }
  return new TidemarkError('TM-PG-004', `${what}: ${message}`, { cause: error });
}
