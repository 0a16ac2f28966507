import type { RestoreRequest } from '../admin/restore.ts';
import { summarizeSnapshot, type SnapshotSummary } from '../admin/snapshot.ts';
import { DEFAULT_MATCHERS } from '../cuts/choose-matchers.ts';
import type { TidemarkError } from '../errors/tidemark-error.ts';
import type { FrameDecompressor } from '../repository/backup-manifest-file.ts';
import type { BackupManifest } from '../repository/backup-manifest.ts';
import { readContents, type RepositoryContents } from '../repository/repository-contents.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import { SnapshotCatalogue } from '../repository/snapshot-catalogue.ts';
import type { Snapshot } from '../repository/snapshot-manifest.ts';
import { planRestore, type RestorePlan, type WalRange } from '../restore-plan/restore-plan.ts';
import { planSnapshot, planTime } from './choose-snapshot.ts';

/** What a person sees of a copy: `tidemark repository list`. */
export interface RepositoryInspection {
  readonly snapshots: readonly Snapshot[];
  /** As lists show them; `restorable` is proven by a plan from this copy alone. */
  readonly summaries: readonly SnapshotSummary[];
  readonly backups: readonly BackupManifest[];
  /** For each stream, what is held without a gap, in order. */
  readonly wal: readonly WalRange[];
  readonly contents: RepositoryContents;
  /** Snapshots that cannot be read. */
  readonly damaged: readonly { readonly id: string; readonly error: unknown }[];
}

/** Reads a copy's names and manifests. Needs nothing but the copy. */
export async function inspectRepository(
  repository: ReadableRepository,
  zstd: FrameDecompressor,
): Promise<RepositoryInspection> {
  const contents = await readContents(repository, zstd);
  const catalogue = new SnapshotCatalogue(repository);
  const snapshots: Snapshot[] = [];
  const damaged: { id: string; error: unknown }[] = [];
  for (const id of await catalogue.ids()) {
    try {
      snapshots.push(await catalogue.get(id));
    } catch (error) {
      damaged.push({ id, error });
    }
  }
  const summaries = snapshots.map((snapshot) =>
    summarizeSnapshot(snapshot, { dataCenters: [], restorable: isRestorable(snapshot, contents) }),
  );
  return { snapshots, summaries, backups: contents.manifests, wal: joinRanges(contents.wal), contents, damaged };
}

/**
 * Plans a restore from a copy alone.
 * @param onPassedOver with `latest`: a newer complete snapshot cannot be restored from here
 * @throws TidemarkError TM-SNAP-001, TM-SNAP-004, TM-RESTORE-001 with what is missing
 */
export async function planFromRepository(
  repository: ReadableRepository,
  zstd: FrameDecompressor,
  { snapshotId, timeUs }: Pick<RestoreRequest, 'snapshotId' | 'timeUs'>,
  onPassedOver?: (snapshotId: string, reason: TidemarkError) => void,
): Promise<RestorePlan> {
  const catalogue = new SnapshotCatalogue(repository);
  if (timeUs !== undefined) {
    return await planTime({ repository, catalogue, match: DEFAULT_MATCHERS }, zstd, timeUs);
  }
  return await planSnapshot(catalogue, await readContents(repository, zstd), snapshotId, onPassedOver);
}

function isRestorable(snapshot: Snapshot, contents: RepositoryContents): boolean {
  try {
    planRestore(snapshot, contents);
    return true;
  } catch {
    return false;
  }
}

/** Ranges that touch or overlap as one. */
export function joinRanges(ranges: readonly WalRange[]): WalRange[] {
  const key = ({ stream }: WalRange) => `${stream.node}/${stream.systemIdentifier}/${stream.timeline}`;
  const sorted = [...ranges].sort((a, b) =>
    key(a) === key(b) ? (a.startLsn < b.startLsn ? -1 : 1) : key(a) < key(b) ? -1 : 1,
  );
  const joined: WalRange[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && key(last) === key(range) && range.startLsn <= last.endLsn) {
      joined[joined.length - 1] = { ...last, endLsn: last.endLsn > range.endLsn ? last.endLsn : range.endLsn };
    } else {
      joined.push(range);
    }
  }
  return joined;
}
