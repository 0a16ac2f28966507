import type { BackupEvent, BackupRequest, BackupSummary } from '../../shared/admin/backup.ts';
import type { RestoreEvent, RestorePlanSummary, RestoreRequest } from '../../shared/admin/restore.ts';
import type { SnapshotSummary } from '../../shared/admin/snapshot.ts';
import type { ClusterStatus } from '../../shared/admin/status.ts';
import type { Leadership } from '../coordination/coordination.ts';

/** What the Admin service needs of the parts behind it. Reading works on every coordinator; doing needs the leadership. */
export interface AdminBackends {
  readonly backups: BackupBackend;
  readonly snapshots: SnapshotBackend;
  readonly restores: RestoreBackend;
  readonly status: StatusBackend;
}

export interface BackupBackend {
  /** @throws TidemarkError TM-BACKUP-001, TM-LEAD-002 */
  create(request: BackupRequest, leadership: Leadership, signal: AbortSignal): AsyncIterable<BackupEvent>;
  /** Newest first. */
  list(): Promise<readonly BackupSummary[]>;
  /** @throws TidemarkError TM-BACKUP-002 */
  get(id: string): Promise<BackupSummary>;
}

export interface SnapshotBackend {
  /** Only while leading. @throws TidemarkError TM-SNAP-002, TM-LEAD-001 */
  createSnapshot(options: { readonly label: string }): Promise<SnapshotSummary>;
  /** Newest first; `limit` 0: all. */
  list(limit: number): Promise<readonly SnapshotSummary[]>;
  /** @throws TidemarkError TM-SNAP-001 */
  get(idOrLatest: string): Promise<SnapshotSummary>;
  /** The state at a time, which is written nowhere. @throws TidemarkError TM-SNAP-004 */
  at(timeUs: bigint): Promise<SnapshotSummary>;
}

export interface RestoreBackend {
  /** @throws TidemarkError TM-RESTORE-001, TM-RESTORE-003, TM-SNAP-001 */
  plan(request: RestoreRequest): Promise<RestorePlanSummary>;
  run(request: RestoreRequest, signal: AbortSignal): AsyncIterable<RestoreEvent>;
}

export interface StatusBackend {
  status(): Promise<ClusterStatus>;
}
