import { once } from 'node:events';
import type { Client } from 'pg';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { checkName } from '../../shared/repository/layout.ts';
import type { AgentHandlers } from '../../shared/rpc/generated/tidemark/v1/Agent.ts';
import type { BaseBackupMessage } from '../../shared/rpc/generated/tidemark/v1/BaseBackupMessage.ts';
import type { TakeBaseBackupRequest__Output } from '../../shared/rpc/generated/tidemark/v1/TakeBaseBackupRequest.ts';
import { serverStreamHandler } from '../../shared/rpc/handlers.ts';
import { takeBaseBackup } from './base-backup.ts';
import { baseBackupMessage } from './base-backup-messages.ts';

export interface BaseBackupServiceOptions {
  /** A connection of the backup's own. */
  readonly connect: () => Promise<Client>;
  readonly instance: { read(): Promise<Instance> };
  readonly terms: {
    /** Refuses a call of a lower term than was seen. */
    admit(term: bigint, coordinatorId: string): Promise<unknown>;
    readonly highest: bigint;
  };
  readonly clock: Clock;
  /** Unless the request says otherwise. */
  readonly workers: number;
  readonly compressionLevel: number;
}

/** The base backup's part of the service `Agent`: one at a time, for the leader with the highest term. */
export class BaseBackupService {
  readonly #options: BaseBackupServiceOptions;
  #running: { readonly backupId: string; readonly abort: AbortController } | null = null;

  constructor(options: BaseBackupServiceOptions) {
    this.#options = options;
  }

  handlers(): Pick<AgentHandlers, 'TakeBaseBackup'> {
    return {
      TakeBaseBackup: serverStreamHandler((request: TakeBaseBackupRequest__Output, { signal }) =>
        this.#take(request, signal),
      ),
    };
  }

  /** Until told to stop; then ends a running backup. */
  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await once(signal, 'abort');
    this.#running?.abort.abort(new TidemarkError('TM-BACKUP-001', 'the agent is stopping'));
  }

  async *#take(request: TakeBaseBackupRequest__Output, signal: AbortSignal): AsyncGenerator<BaseBackupMessage> {
    const { terms, workers, compressionLevel, connect, instance, clock } = this.#options;
    const { fence, backupId, fastCheckpoint } = request;
    const term = BigInt(fence?.term ?? 0);
    const coordinatorId = fence?.coordinatorId ?? '';
    if (term <= 0n || coordinatorId === '') {
      throw new TidemarkError('TM-USAGE-001', 'the call says neither its term nor who it comes from');
    }
    checkName('backup', backupId);
    await terms.admit(term, coordinatorId);
    if (this.#running !== null) {
      throw new TidemarkError('TM-BACKUP-001', `base backup ${this.#running.backupId} is running already`);
    }
    const running = { backupId, abort: new AbortController() };
    this.#running = running;
    try {
      const described = await instance.read();
      const items = takeBaseBackup({
        connect,
        backupId,
        fastCheckpoint,
        workers: request.workers === 0 ? workers : request.workers,
        compressionLevel: request.compressionLevel === 0 ? compressionLevel : request.compressionLevel,
        clock,
        signal: AbortSignal.any([signal, running.abort.signal]),
      });
      for await (const item of items) {
        if (terms.highest > term) {
          throw new TidemarkError(
            'TM-LEAD-002',
            `base backup ${backupId} was asked for in term ${term}, now is ${terms.highest}`,
          );
        }
        yield baseBackupMessage(item, described);
      }
    } finally {
      this.#running = null;
    }
  }
}
