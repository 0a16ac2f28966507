import { TidemarkError } from '../errors/tidemark-error.ts';
import { checkSegmentBytes, isSegmentSize, parseSegmentName, segmentEnd } from '../postgres/wal-segment.ts';
import { parseTimelineHistory } from '../postgres/timeline-history.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { HeldBackup, RestoreInventory, TimelineFork, WalRange } from '../restore-plan/restore-plan.ts';
import type { WalStreamKey } from '../wal/change-set.ts';
import { JournalDecoder } from '../wal-index/journal-decoder.ts';
import type { BackupManifest } from './backup-manifest.ts';
import { readBackupManifest, type FrameDecompressor } from './backup-manifest-file.ts';
import { JOURNAL_PREFIX, NODES_PREFIX } from './layout.ts';
import { readObject } from './read-object.ts';
import { readWalGap, type WalGap } from './wal-gap.ts';
import type { ObjectEntry, ReadableRepository } from './repository.ts';

const HISTORY_BYTES_MAX = 1024 * 1024;

/** A file of WAL: a finished segment, or one that is still being received. */
export interface WalObject {
  readonly path: string;
  readonly sizeBytes: number;
  readonly stream: WalStreamKey;
  /** PostgreSQL's file name. */
  readonly segment: string;
  readonly finished: boolean;
  /** Whether its index lies beside it. */
  readonly indexed: boolean;
}

/** Something in a copy that cannot be read. */
export interface UnreadableObject {
  readonly path: string;
  readonly error: unknown;
}

/** What a copy holds, by its names and manifests. WAL files and packs are not opened, but for one journal entry each. */
export interface RepositoryContents extends RestoreInventory {
  readonly manifests: readonly BackupManifest[];
  readonly walObjects: readonly WalObject[];
  readonly unreadable: readonly UnreadableObject[];
}

/** Reads what a restore is planned from. Damaged manifests are told and left out, so that they do not hide the sound ones. */
export async function readContents(
  repository: ReadableRepository,
  zstd: FrameDecompressor,
): Promise<RepositoryContents> {
  const unreadable: UnreadableObject[] = [];
  const attempt = async <Result>(path: string, read: () => Promise<Result>): Promise<Result[]> => {
    try {
      return [await read()];
    } catch (error) {
      // A journal file that has become a finished segment since it was listed; those are listed after it was read.
      const finished =
        path.startsWith(JOURNAL_PREFIX) && error instanceof TidemarkError && error.code === 'TM-REPO-002';
      if (!finished) {
        unreadable.push({ path, error });
      }
      return [];
    }
  };
  const wal: WalRange[] = [];
  const journal = await listObjects(repository, JOURNAL_PREFIX);
  for (const object of findWalObjects(journal)) {
    wal.push(...(await attempt(object.path, () => readJournalRange(repository, object))).flat());
  }
  const objects = await listObjects(repository, NODES_PREFIX);
  const manifests: BackupManifest[] = [];
  const forks: TimelineFork[] = [];
  const gaps: WalGap[] = [];
  for (const { path } of objects) {
    if (MANIFEST.test(path)) {
      manifests.push(...(await attempt(path, () => readBackupManifest(repository, path, zstd))));
    } else if (GAP.test(path)) {
      gaps.push(...(await attempt(path, () => readWalGap(repository, path))));
    } else if (HISTORY.test(path)) {
      forks.push(...(await attempt(path, () => readForks(repository, path))).flat());
    }
  }
  const walObjects = findWalObjects([...journal, ...objects]);
  const segmentBytes = new Map(manifests.map((manifest) => [manifest.systemIdentifier, manifest.walSegmentBytes]));
  for (const object of walObjects) {
    if (!object.finished) {
      continue;
    }
    const known = segmentBytes.get(object.stream.systemIdentifier);
    const bytes =
      known === undefined ? await attempt(object.path, () => readSegmentBytes(repository, object)) : [known];
    for (const size of bytes) {
      segmentBytes.set(object.stream.systemIdentifier, size);
      const file = parseSegmentName(object.segment, size);
      if (file !== null && file.timeline === object.stream.timeline) {
        wal.push({ stream: object.stream, startLsn: file.startLsn, endLsn: segmentEnd(file.startLsn, size) });
      }
    }
  }
  const backups = manifests.map((manifest) => heldBackup(manifest));
  return { backups, wal, forks, gaps, manifests, walObjects, unreadable };
}

async function listObjects(repository: ReadableRepository, prefix: string): Promise<ObjectEntry[]> {
  const objects: ObjectEntry[] = [];
  for await (const object of repository.list(prefix)) {
    objects.push(object);
  }
  return objects;
}

const MANIFEST = /^nodes\/[^/]+\/[^/]+\/backups\/[^/]+\/manifest\.json\.zst$/;
const HISTORY = /^nodes\/([^/]+)\/(\d+)\/wal\/([0-9A-F]{8})\.history$/;
const GAP = /^nodes\/[^/]+\/\d+\/gaps\/[^/]+\.json$/;
const SEGMENT = /^(?:nodes\/([^/]+)\/(\d+)\/wal|journal\/([^/]+)\/(\d+))\/([0-9A-F]{8})\/([0-9A-F]{24})\.(zst|idx)$/;

function findWalObjects(objects: readonly ObjectEntry[]): WalObject[] {
  const paths = new Set(objects.map(({ path }) => path));
  return objects.flatMap(({ path, sizeBytes }) => {
    const match = SEGMENT.exec(path);
    if (match === null || match[7] !== 'zst') {
      return [];
    }
    const finished = match[1] !== undefined;
    return {
      path,
      sizeBytes,
      stream: {
        node: match[1] ?? match[3] ?? '',
        systemIdentifier: match[2] ?? match[4] ?? '',
        timeline: Number.parseInt(match[5] ?? '', 16),
      },
      segment: match[6] ?? '',
      finished,
      indexed: paths.has(`${path.slice(0, -'zst'.length)}idx`),
    };
  });
}

async function readForks(repository: ReadableRepository, path: string): Promise<TimelineFork[]> {
  const [, node = '', systemIdentifier = '', timeline = ''] = HISTORY.exec(path) ?? [];
  const content = await readObject(repository, path, HISTORY_BYTES_MAX);
  const history = parseTimelineHistory(Number.parseInt(timeline, 16), content);
  return history.ancestors.map((ancestor, index) => ({
    node,
    systemIdentifier,
    timeline: history.ancestors[index + 1]?.timeline ?? history.timeline,
    parentTimeline: ancestor.timeline,
    forkLsn: ancestor.switchLsn,
  }));
}

/** What a growing file holds up to the last whole entry. */
async function readJournalRange(repository: ReadableRepository, object: WalObject): Promise<WalRange[]> {
  const decoder = new JournalDecoder();
  const ranges: { stream: WalStreamKey; startLsn: Lsn; endLsn: Lsn }[] = [];
  for await (const chunk of repository.read(object.path)) {
    for (const { entry } of decoder.push(chunk)) {
      const last = ranges.at(-1);
      if (last !== undefined && last.endLsn === entry.startLsn) {
        last.endLsn = entry.endLsn;
      } else {
        ranges.push({ stream: object.stream, startLsn: entry.startLsn, endLsn: entry.endLsn });
      }
    }
  }
  return ranges;
}

async function readSegmentBytes(repository: ReadableRepository, object: WalObject): Promise<number> {
  const decoder = new JournalDecoder();
  for await (const chunk of repository.read(object.path)) {
    const [first] = decoder.push(chunk);
    if (first !== undefined && isSegmentSize(first.entry.segmentBytes)) {
      return first.entry.segmentBytes;
    }
  }
  return checkSegmentBytes(0);
}

function heldBackup(manifest: BackupManifest): HeldBackup {
  return {
    id: manifest.id,
    node: manifest.node,
    systemIdentifier: manifest.systemIdentifier,
    timeline: manifest.timeline,
    startLsn: manifest.startLsn,
    stopLsn: manifest.stopLsn,
    bytes: manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0),
  };
}
