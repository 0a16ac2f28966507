import type { BackupSummary } from '../../shared/admin/backup.ts';
import type { Progress } from '../../shared/admin/progress.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { retry } from '../../shared/lifecycle/retry.ts';
import { backupEventFromMessage, backupRequestToMessage } from '../../shared/rpc/admin-codec.ts';
import type { AdminClient } from '../../shared/rpc/generated/tidemark/v1/Admin.ts';
import { callStream, callUnary } from '../../shared/rpc/streams.ts';

const READ_DEADLINE_MS = 30_000;
const ATTEMPTS_MAX = 5;
const RETRY_PAUSE_MS = 1_000;

export interface BackupCreation {
  /** Empty: all that are known. */
  readonly nodes: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Base backups of the nodes. A backup ends with the leader that takes it; then the nodes that are still without one go to the next
 * leader, so that a change of leader costs a scheduled backup time and not its success.
 * @throws TidemarkError what the leader answered; TM-LEAD-001 or TM-LEAD-002 when leaders come and go
 */
export async function createBackups(admin: AdminClient, creation: BackupCreation): Promise<BackupSummary[]> {
  const { clock, random, signal, onProgress } = creation;
  const done: BackupSummary[] = [];
  let missing = creation.nodes;

  const attempt = async (): Promise<void> => {
    if (missing.length === 0) {
      const status = await callUnary(admin, 'GetStatus', {}, { deadlineMs: READ_DEADLINE_MS, signal });
      missing = status.nodes.map(({ node }) => node);
    }
    const request = backupRequestToMessage({ nodes: missing, type: 'full' });
    for await (const message of callStream(admin, 'CreateBackup', request, { signal })) {
      const event = backupEventFromMessage(message);
      if (event?.kind === 'progress') {
        onProgress(event.progress);
      } else if (event?.kind === 'backup') {
        done.push(event.backup);
        missing = missing.filter((node) => node !== event.backup.node);
      }
    }
  };

  await retry(attempt, {
    clock,
    random,
    signal,
    initialMs: RETRY_PAUSE_MS,
    attemptsMax: ATTEMPTS_MAX,
    shouldRetry: (error) =>
      error instanceof TidemarkError && (error.code === 'TM-LEAD-001' || error.code === 'TM-LEAD-002'),
  });
  return done;
}
