import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { formatLsn, type Lsn, NO_LSN, parseLsn } from '../../shared/postgres/lsn.ts';
import { sqlState } from '../postgres/postgres-error.ts';
import type { RestoredServer } from './restored-server.ts';

export interface RecoveryWatchOptions {
  readonly server: RestoredServer;
  readonly serverMajor: number;
  readonly clock: Clock;
  /** Recovery that shows no progress for this long has failed. */
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly onReplay: (replayLsn: Lsn) => void;
}

interface RecoveryStatus {
  readonly inRecovery: boolean;
  readonly paused: boolean;
  readonly replayLsn: Lsn;
}

const POLL_MS = 100;
const STOPPED = /recovery stopping after WAL location \(LSN\) "([0-9A-F]+\/[0-9A-F]+)"/;
const PROGRESS = /redo (starts|in progress|done)|consistent recovery state|restored log file/;

/**
 * Waits until recovery is paused at its target, and checks that it stopped right after the record that begins there.
 * @returns where replay stands; and whether the server has left recovery, which it does instead of pausing when no session could
 *   have connected to it while paused
 * @throws TidemarkError TM-RESTORE-004 with the server's own words
 */
export async function waitUntilPaused(
  options: RecoveryWatchOptions,
  targetLsn: Lsn,
  logFromByte: number,
): Promise<{ readonly replayLsn: Lsn; readonly promoted: boolean }> {
  const { server, clock, signal } = options;
  let seen = '';
  let seenMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    if ((await server.postmaster()) === null) throw await server.failure('recovery has failed', logFromByte);
    const status = await statusOrNull(options);
    if (status !== null && (status.paused || !status.inRecovery)) {
      return await checkStop(options, status, targetLsn, logFromByte);
    }
    const lines = await server.logLines(logFromByte);
    const progress = `${status?.replayLsn ?? NO_LSN} ${lines.filter((line) => PROGRESS.test(line)).length}`;
    if (progress !== seen) {
      seen = progress;
      seenMs = clock.monotonicMs();
      options.onReplay(status?.replayLsn ?? NO_LSN);
    } else if (clock.monotonicMs() - seenMs > options.stallTimeoutMs) {
      throw await server.failure(`recovery has not gone on for ${options.stallTimeoutMs / 1000} s`, logFromByte);
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function checkStop(
  { server }: RecoveryWatchOptions,
  status: RecoveryStatus,
  targetLsn: Lsn,
  logFromByte: number,
): Promise<{ readonly replayLsn: Lsn; readonly promoted: boolean }> {
  const stops = (await server.logLines(logFromByte)).flatMap((line) => STOPPED.exec(line)?.[1] ?? []);
  const stop = stops.at(-1);
  if (stop === undefined || parseLsn(stop) !== targetLsn || (status.inRecovery && status.replayLsn <= targetLsn)) {
    throw await server.failure(
      `recovery stands at ${formatLsn(status.replayLsn)}${stop === undefined ? '' : `, after the record at ${stop}`}, ` +
        `and not after the record at ${formatLsn(targetLsn)}`,
      logFromByte,
    );
  }
  return { replayLsn: status.replayLsn, promoted: !status.inRecovery };
}

/** Waits until the server has left recovery. @throws TidemarkError TM-RESTORE-004 */
export async function waitUntilPromoted(options: RecoveryWatchOptions): Promise<void> {
  const { server, clock, signal, stallTimeoutMs } = options;
  const beganMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    if ((await server.postmaster()) === null) throw await server.failure('promotion has failed');
    const status = await statusOrNull(options);
    if (status !== null && !status.inRecovery) return;
    if (clock.monotonicMs() - beganMs > stallTimeoutMs) throw await server.failure('promotion does not end');
    await clock.sleep(POLL_MS, signal);
  }
}

/** Null while the server answers nobody. */
export async function statusOrNull({ server, serverMajor }: RecoveryWatchOptions): Promise<RecoveryStatus | null> {
  const pause =
    serverMajor >= 14
      ? "CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END"
      : 'CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END';
  try {
    const [row] = await server.query<{ recovery: boolean; paused: boolean; replay: string | null; superuser: boolean }>(
      `SELECT pg_is_in_recovery() AS recovery, ${pause} AS paused, pg_last_wal_replay_lsn()::text AS replay,
         current_setting('is_superuser') = 'on' AS superuser`,
    );
    if (row === undefined) return null;
    // Before the first promotion, not in the middle of it.
    if (!row.superuser) throw noSuperuser(server.superuser, 'is no superuser');
    const replayLsn = row.replay === null ? NO_LSN : parseLsn(row.replay);
    return { inRecovery: row.recovery, paused: row.paused, replayLsn };
  } catch (error) {
    // Whether it has ended is asked of its lock file; everything else passes, or shows as a standstill.
    if (error instanceof TidemarkError && error.code !== 'TM-RESTORE-004') throw error;
    if (sqlState(error)?.startsWith('28') === true) throw noSuperuser(server.superuser, 'cannot log in');
    return null;
  }
}

function noSuperuser(role: string, what: string): TidemarkError {
  return new TidemarkError('TM-CONFIG-001', `the role ${role} of the restored cluster ${what}`, {
    hint: "Set postgres.superuser of the target's agent (for tidemark repository restore: --superuser), and restore again.",
  });
}
