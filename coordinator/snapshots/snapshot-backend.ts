import { summarizeSnapshot, type SnapshotSummary } from '../../shared/admin/snapshot.ts';
import { snapshotPath } from '../../shared/repository/layout.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import { hasBackups, newestBackup, type HeldBackup } from '../../shared/restore-plan/restore-plan.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import type { AnyTime } from '../any-time/any-time.ts';
import type { SnapshotBackend } from '../admin/admin-backends.ts';
import type { SnapshotService } from './snapshot-service.ts';

interface AdminSnapshotsOptions {
  readonly service: Pick<SnapshotService, 'createSnapshot' | 'list' | 'get'>;
  readonly anyTime: Pick<AnyTime, 'at' | 'dataCenters'>;
  readonly backups: () => Promise<readonly HeldBackup[]>;
  /** The data centres that are known to hold an object; this one's is among them if it does. */
  readonly objectCopies: (path: string) => readonly string[];
  readonly dataCenter: string;
  /** Whether all WAL of a range is held here. */
  readonly holdsWal: (stream: WalStreamKey, range: LsnRange) => boolean;
}

/** Snapshots as the Admin API shows them: with what is known of their copies, and whether a base backup and all WAL from it on lie before them. */
export class AdminSnapshots implements SnapshotBackend {
  readonly #options: AdminSnapshotsOptions;

  constructor(options: AdminSnapshotsOptions) {
    this.#options = options;
  }

  async createSnapshot(options: { readonly label: string }): Promise<SnapshotSummary> {
    return await this.#summarize(await this.#options.service.createSnapshot(options));
  }

  async list(limit: number): Promise<readonly SnapshotSummary[]> {
    const backups = await this.#options.backups();
    return (await this.#options.service.list(limit)).map((snapshot) => this.#summary(snapshot, backups));
  }

  async get(idOrLatest: string): Promise<SnapshotSummary> {
    return await this.#summarize(await this.#options.service.get(idOrLatest));
  }

  async at(timeUs: bigint): Promise<SnapshotSummary> {
    const { anyTime } = this.#options;
    const snapshot = await anyTime.at(timeUs);
    const backups = await this.#options.backups();
    const restorable = hasBackups(snapshot, { backups, forks: [] }) && this.#isHeld(snapshot, backups);
    return summarizeSnapshot(snapshot, { dataCenters: anyTime.dataCenters(snapshot), restorable });
  }

  async #summarize(snapshot: Snapshot): Promise<SnapshotSummary> {
    return this.#summary(snapshot, await this.#options.backups());
  }

  /** No WAL is missing between the base backups and the cut, as far as both lie on one timeline. */
  #isHeld(snapshot: Snapshot, backups: readonly HeldBackup[]): boolean {
    return snapshot.nodes.every((position) => {
      const backup = newestBackup(position, { backups, forks: [] });
      if (backup === null || backup.timeline !== position.timeline) return true;
      return this.#options.holdsWal(position, { startLsn: backup.startLsn, endLsn: position.walEndLsn });
    });
  }

  #summary(snapshot: Snapshot, backups: readonly HeldBackup[]): SnapshotSummary {
    // It was read from this coordinator's own copy.
    const dataCenters = new Set([this.#options.dataCenter, ...this.#options.objectCopies(snapshotPath(snapshot.id))]);
    return summarizeSnapshot(snapshot, {
      dataCenters: [...dataCenters].sort(),
      restorable: hasBackups(snapshot, { backups, forks: [] }) && this.#isHeld(snapshot, backups),
    });
  }
}
