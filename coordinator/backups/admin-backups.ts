import type { BackupEvent, BackupRequest, BackupSummary } from '../../shared/admin/backup.ts';
import type { BackupBackend } from '../admin/admin-backends.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { BackupService, BackupSummary as StoredBackup } from './backup-service.ts';

/** Base backups as the Admin API shows them. */
export class AdminBackups implements BackupBackend {
  readonly #service: Pick<BackupService, 'create' | 'list' | 'get'>;

  constructor(service: Pick<BackupService, 'create' | 'list' | 'get'>) {
    this.#service = service;
  }

  async *create(request: BackupRequest, leadership: Leadership, signal: AbortSignal): AsyncGenerator<BackupEvent> {
    for await (const event of this.#service.create(request, leadership, signal)) {
      if (event.kind === 'backup') {
        yield { kind: 'backup', backup: summarize(event.backup) };
      } else {
        const { phase, node, bytesDone, bytesTotal } = event;
        const progress = { phase, node, bytesDone: BigInt(bytesDone), bytesTotal: BigInt(bytesTotal), message: '' };
        yield { kind: 'progress', progress };
      }
    }
  }

  /** Newest first. */
  async list(): Promise<readonly BackupSummary[]> {
    return (await this.#service.list()).map(summarize).reverse();
  }

  async get(id: string): Promise<BackupSummary> {
    return summarize(await this.#service.get(id));
  }
}

function summarize(backup: StoredBackup): BackupSummary {
  return {
    ...backup,
    startedAtUs: BigInt(Math.round(backup.startedAtUs)),
    finishedAtUs: BigInt(Math.round(backup.finishedAtUs)),
    bytes: BigInt(backup.bytes),
    storedBytes: BigInt(backup.storedBytes),
    files: BigInt(backup.files),
    pagesVerified: BigInt(backup.pagesVerified),
  };
}
