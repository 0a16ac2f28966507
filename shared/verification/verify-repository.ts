import type { Progress } from '../admin/progress.ts';
import { inspectRepository, joinRanges, type RepositoryInspection } from '../cluster-restore/bare-repository.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn } from '../postgres/lsn.ts';
import type { FrameDecompressor } from '../repository/backup-manifest-file.ts';
import { snapshotPath } from '../repository/layout.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import type { Snapshot } from '../repository/snapshot-manifest.ts';
import { hasBackups, planRestore, type RestoreInventory, type WalRange } from '../restore-plan/restore-plan.ts';
import { missingFrom } from '../wal/lsn-range.ts';
import type { Finding } from './finding.ts';
import { verifyBackup } from './verify-backup.ts';
import { verifyWalObject } from './verify-wal.ts';

/**
 * Reads a copy again from the first byte to the last and gives everything that is wrong: manifests, hashes of frames and files,
 * indexes, gaps in the WAL, and snapshots with a base backup before them that cannot be restored all the same. Gives nothing but
 * what is known to be lost if the copy is sound.
 */
export async function* verifyRepository(
  repository: ReadableRepository,
  zstd: FrameDecompressor,
  onProgress: (progress: Progress) => void = () => {},
): AsyncGenerator<Finding> {
  const inspection = await inspectRepository(repository, zstd);
  const { contents } = inspection;
  for (const { path, error } of contents.unreadable) {
    yield { kind: 'damage', subject: path, problem: messageOf(error) };
  }
  for (const { id, error } of inspection.damaged) {
    yield { kind: 'damage', subject: snapshotPath(id), problem: messageOf(error) };
  }
  yield* findGaps(inspection);
  let bytesDone = 0;
  const bytesTotal = totalBytes(inspection);
  const onBytes = (phase: string, node: string) => (bytes: number) => {
    bytesDone += bytes;
    onProgress({ phase, node, bytesDone: BigInt(bytesDone), bytesTotal: BigInt(bytesTotal), message: '' });
  };
  for (const object of contents.walObjects) {
    for (const problem of await verifyWalObject(repository, object, zstd)) {
      yield { kind: 'damage', subject: object.path, problem };
    }
    onBytes('wal', object.stream.node)(object.sizeBytes);
  }
  for (const manifest of contents.manifests) {
    yield* verifyBackup(repository, manifest, zstd, onBytes('backup', manifest.node));
  }
}

function* findGaps({ snapshots, contents }: RepositoryInspection): Generator<Finding> {
  const ranges = joinRanges(contents.wal);
  for (const [index, range] of ranges.entries()) {
    const before = ranges[index - 1];
    if (before !== undefined && isSameStream(before, range)) {
      const { node, timeline } = range.stream;
      const hole = { startLsn: before.endLsn, endLsn: range.startLsn };
      const declared = contents.gaps.filter((gap) => isSameStream(gap, range));
      yield {
        kind: missingFrom([hole], declared).length === 0 ? 'lost' : 'gap',
        subject: `WAL of ${node}, timeline ${timeline}`,
        problem: `from ${formatLsn(before.endLsn)} to ${formatLsn(range.startLsn)} is missing`,
      };
    }
  }
  for (const snapshot of snapshots) {
    // One that no base backup precedes was never restorable; that is no damage.
    if (!hasBackups(snapshot, contents)) {
      continue;
    }
    try {
      planRestore(snapshot, contents);
    } catch (error) {
      const kind = canBePlanned(snapshot, { ...contents, wal: [...contents.wal, ...contents.gaps] }) ? 'lost' : 'gap';
      yield { kind, subject: `snapshot ${snapshot.id}`, problem: messageOf(error) };
    }
  }
}

function canBePlanned(snapshot: Snapshot, inventory: RestoreInventory): boolean {
  try {
    planRestore(snapshot, inventory);
    return true;
  } catch {
    return false;
  }
}

function isSameStream({ stream: a }: WalRange, { stream: b }: WalRange): boolean {
  return a.node === b.node && a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline;
}

function totalBytes({ contents }: RepositoryInspection): number {
  const wal = contents.walObjects.reduce((sum, object) => sum + object.sizeBytes, 0);
  const packs = contents.manifests.flatMap((manifest) => manifest.packs);
  return packs.reduce((sum, pack) => sum + pack.sizeBytes, wal);
}

function messageOf(error: unknown): string {
  return error instanceof TidemarkError || error instanceof Error ? error.message : String(error);
}
