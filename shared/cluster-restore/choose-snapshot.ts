import { snapshotAt, type SnapshotAtOptions } from '../any-time/snapshot-at.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import type { FrameDecompressor } from '../repository/backup-manifest-file.ts';
import { readContents } from '../repository/repository-contents.ts';
import type { SnapshotCatalogue } from '../repository/snapshot-catalogue.ts';
import { planRestore, type RestoreInventory, type RestorePlan } from '../restore-plan/restore-plan.ts';

/**
 * Plans the restore of the state at a time.
 * @param timeUs by the leader's clock, microseconds since 1970-01-01 UTC
 * @throws TidemarkError TM-SNAP-004 if it cannot be told, TM-RESTORE-001 with what is missing
 */
export async function planTime(
  options: SnapshotAtOptions,
  zstd: FrameDecompressor,
  timeUs: bigint,
): Promise<RestorePlan> {
  const snapshot = await snapshotAt(options, Number(timeUs));
  // Read afterwards: what the cut was computed from is there.
  return planRestore(snapshot, await readContents(options.repository, zstd));
}

/**
 * Plans the restore of a snapshot from what a copy holds. `latest` is the newest complete one that this copy can restore: a copy
 * may have a manifest before the last of its WAL, which other copies hold.
 * @param onPassedOver a newer complete snapshot cannot be restored from here
 * @throws TidemarkError TM-SNAP-001 if there is no such snapshot; TM-RESTORE-001 with what is missing, for `latest` to the newest
 */
export async function planSnapshot(
  catalogue: SnapshotCatalogue,
  inventory: RestoreInventory,
  idOrLatest: string,
  onPassedOver: (snapshotId: string, reason: TidemarkError) => void = () => {},
): Promise<RestorePlan> {
  if (idOrLatest !== 'latest') {
    return planRestore(await catalogue.get(idOrLatest), inventory);
  }
  let newest: TidemarkError | null = null;
  for (const id of await catalogue.ids()) {
    try {
      const snapshot = await catalogue.get(id);
      if (snapshot.complete) {
        return planRestore(snapshot, inventory);
      }
    } catch (error) {
      if (!(error instanceof TidemarkError)) {
        throw error;
      }
      newest ??= error;
      onPassedOver(id, error);
    }
  }
  // Says that there is none, where there is none.
  throw newest ?? new TidemarkError('TM-SNAP-001', 'there is no complete snapshot here');
}
