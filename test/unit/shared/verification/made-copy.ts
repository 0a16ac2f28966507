import { createHash } from 'node:crypto';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { segmentName } from '../../../../shared/postgres/wal-segment.ts';
import { serializeBackupManifest, type BackupManifest } from '../../../../shared/repository/backup-manifest.ts';
import {
  backupManifestPath,
  backupPackPath,
  journalSegmentPath,
  snapshotPath,
  walIndexPath,
  walSegmentPath,
} from '../../../../shared/repository/layout.ts';
import type { ObjectEntry, ReadableRepository } from '../../../../shared/repository/repository.ts';
import { encodeSnapshot, type Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import { encodeJournalEntry } from '../../../../shared/wal-index/journal-entry.ts';
import { encodeSegmentIndex, type SegmentFrame } from '../../../../shared/wal-index/segment-index.ts';
import { storedFrame } from '../../../../shared/compression/stored-frame.ts';
import { madeChangeSet, madeWal } from '../../../support/made-wal.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';

const SEGMENT_BYTES = 1 << 20;
const STREAM = { node: 'a', systemIdentifier: '7123', timeline: 1 };
const START = 0x100_0000n;

export const SNAPSHOT_ID = '20261122T121530123Z-0001';
export const BACKUP_ID = '20261122T121500000Z-0000';

/** A copy in memory. */
export class MadeCopy implements ReadableRepository {
  readonly name = 'memory';
  readonly objects = new Map<string, Buffer>();

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    await Promise.resolve();
    for (const path of [...this.objects.keys()].filter((known) => known.startsWith(prefix)).sort()) {
      yield { path, sizeBytes: this.objects.get(path)?.length ?? 0 };
    }
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    await Promise.resolve();
    const bytes = this.objects.get(path);
    return bytes === undefined ? null : { path, sizeBytes: bytes.length };
  }

  async *read(path: string): AsyncIterable<Buffer> {
    await Promise.resolve();
    const bytes = this.objects.get(path);
    if (bytes === undefined) {
      throw new TidemarkError('TM-REPO-002', `there is no ${path}`);
    }
    // Chunks that keep to no boundary.
    for (let offset = 0; offset < bytes.length; offset += 300_007) {
      yield Buffer.from(bytes.subarray(offset, offset + 300_007));
    }
  }
}

let made: MadeCopy | undefined;

/** Two finished segments, a journal of half of the third, a backup before them and a snapshot in the third. */
export function makeCopy(): MadeCopy {
  made ??= fill(new MadeCopy());
  const copy = new MadeCopy();
  for (const [path, bytes] of made.objects) {
    copy.objects.set(path, bytes);
  }
  return copy;
}

function fill(copy: MadeCopy): MadeCopy {
  for (const segment of [0n, 1n]) {
    const start = lsn(START + segment * BigInt(SEGMENT_BYTES));
    const name = segmentName(1, start, SEGMENT_BYTES);
    const { bytes, frames } = entries(start, SEGMENT_BYTES);
    copy.objects.set(walSegmentPath(STREAM, name), bytes);
    copy.objects.set(
      walIndexPath(STREAM, name),
      encodeSegmentIndex({
        stream: STREAM,
        startLsn: start,
        segmentBytes: SEGMENT_BYTES,
        objectBytes: bytes.length,
        nextRecordLsn: lsn(start + BigInt(SEGMENT_BYTES)),
        lastRecordLsn: lsn(start + BigInt(SEGMENT_BYTES) - 64n),
        frames,
        events: [],
        openBranches: [],
        changedBlocks: Buffer.alloc(0),
        clocks: [],
      }),
    );
  }
  const third = lsn(START + 2n * BigInt(SEGMENT_BYTES));
  copy.objects.set(
    journalSegmentPath(STREAM, segmentName(1, third, SEGMENT_BYTES)),
    entries(third, SEGMENT_BYTES / 2).bytes,
  );
  addBackup(copy);
  copy.objects.set(snapshotPath(SNAPSHOT_ID), encodeSnapshot(snapshotAt(lsn(third + 1024n))));
  return copy;
}

export function snapshotAt(targetLsn: Lsn, id = SNAPSHOT_ID): Snapshot {
  return {
    id,
    timeUs: 1n,
    label: '',
    class: { kind: 'causal' },
    complete: true,
    cluster: 'test',
    coordinatorId: 'east',
    term: 1n,
    nodes: [
      {
        ...STREAM,
        targetLsn,
        walEndLsn: lsn(targetLsn + 64n),
        walSegmentBytes: SEGMENT_BYTES,
        sampledLsn: lsn(targetLsn + 64n),
        sampled: true,
      },
    ],
    inDoubt: [],
    broken: [],
  };
}

function entries(start: Lsn, length: number): { readonly bytes: Buffer; readonly frames: SegmentFrame[] } {
  const parts: Buffer[] = [];
  const frames: SegmentFrame[] = [];
  let offsetBytes = 0;
  for (let at = 0; at < length; at += 128 * 1024) {
    const changeSet = madeChangeSet(start + BigInt(at), start + BigInt(at + 128 * 1024));
    const [head, frame] = encodeJournalEntry({
      ...changeSet,
      segmentBytes: SEGMENT_BYTES,
      events: Buffer.alloc(0),
      clocks: Buffer.alloc(0),
    });
    frames.push({
      startLsn: changeSet.startLsn,
      contentBytes: 128 * 1024,
      offsetBytes: offsetBytes + head.length,
      frameBytes: frame.length,
      contentSha256: changeSet.contentSha256,
    });
    offsetBytes += head.length + frame.length;
    parts.push(head, frame);
  }
  return { bytes: Buffer.concat(parts), frames };
}

function addBackup(copy: MadeCopy): void {
  const contents = [0, 1, 2].map((index) => madeWal(lsn(BigInt(index) << 20n), lsn((BigInt(index) << 20n) + 400_000n)));
  const stored = contents.map((content) => storedFrame(content));
  let offset = 0;
  const frames = stored.map((frame, index): BackupManifest['frames'][number] => {
    const at = offset;
    offset += frame.length;
    return [
      0,
      at,
      frame.length,
      contents[index]?.length ?? 0,
      sha256(contents[index] ?? Buffer.alloc(0)).toString('hex'),
    ];
  });
  const manifest: BackupManifest = {
    format: 1,
    type: 'full',
    id: BACKUP_ID,
    node: STREAM.node,
    systemIdentifier: STREAM.systemIdentifier,
    timeline: 1,
    startLsn: lsn(START + 40n),
    stopLsn: lsn(START + 4096n),
    checkpointLsn: lsn(START + 96n),
    startedAtUs: 1,
    finishedAtUs: 2,
    serverVersionNum: 180004,
    walSegmentBytes: SEGMENT_BYTES,
    dataChecksums: true,
    settings: {},
    tablespaces: [],
    directories: ['base'],
    backupLabel: Buffer.from('START WAL LOCATION').toString('base64'),
    tablespaceMap: '',
    pagesVerified: 0,
    filesVanished: 0,
    packs: [{ sizeBytes: offset }],
    frames,
    files: [
      {
        path: 'base/1',
        sizeBytes: 1_200_000,
        mode: 0o600,
        modifiedAtUs: 1,
        extents: [
          [0, 0, 400_000],
          [1, 0, 400_000],
          [2, 0, 400_000],
        ],
      },
    ],
  };
  copy.objects.set(
    backupManifestPath(STREAM.node, STREAM.systemIdentifier, BACKUP_ID),
    storedFrame(serializeBackupManifest(manifest)),
  );
  copy.objects.set(backupPackPath(STREAM.node, STREAM.systemIdentifier, BACKUP_ID, 0), Buffer.concat(stored));
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
