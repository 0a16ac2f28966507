import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { parseBackupLabel } from '../../shared/postgres/backup-label.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import {
  BACKUP_MANIFEST_FORMAT,
  type BackupFile,
  type BackupManifest,
} from '../../shared/repository/backup-manifest.ts';
import { type FrameCompressor, writeBackupManifest } from '../../shared/repository/backup-manifest-file.ts';
import { backupPackPath, backupPrefix } from '../../shared/repository/layout.ts';
import type { Repository } from '../../shared/repository/repository.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import type { BaseBackupFinished, BaseBackupFrame, BaseBackupPart, BaseBackupStarted } from './base-backup-stream.ts';
import { writePacks } from './pack-writer.ts';
import type { UnfinishedBackups } from './unfinished-backups.ts';

/** What the copies in other data centres have to say; AcknowledgementTracker is one. */
export interface BackupCopies {
  /** Resolves with the data centres once the object lies in the required number of them. */
  waitForObject(path: string, signal: AbortSignal): Promise<readonly string[]>;
  objectCopies(path: string): readonly string[];
  waitForAcknowledged(stream: WalStreamKey, lsn: Lsn, signal: AbortSignal): Promise<void>;
}

export interface NodeBackupOptions {
  readonly id: string;
  readonly node: string;
  readonly systemIdentifier: string;
  /** What the agent sends. */
  readonly parts: AsyncIterable<BaseBackupPart>;
  readonly repository: Repository;
  readonly unfinished: Pick<UnfinishedBackups, 'begin' | 'removeFailed'>;
  readonly copies: BackupCopies;
  /** Whether all WAL of a range is held. */
  readonly holdsWal: (stream: WalStreamKey, range: LsnRange) => boolean;
  readonly zstd: FrameCompressor;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (phase: string, bytesDone: number, bytesTotal: number) => void;
  readonly packBytesMax?: number;
}

export interface NodeBackupResult {
  readonly manifest: BackupManifest;
  readonly dataCenters: readonly string[];
}

/**
 * Takes in one node's base backup: packs, then the WAL that makes it consistent, then the manifest, and waits until the required copies
 * hold all of it. The manifest is written only when everything else of the backup is durable there, so a backup that has one
 * can be restored. What a failed one has written here is removed.
 * @throws TidemarkError TM-BACKUP-001, or the reason of the signal
 */
export async function takeNodeBackup(options: NodeBackupOptions): Promise<NodeBackupResult> {
  const { node, systemIdentifier, id, unfinished } = options;
  const prefix = backupPrefix(node, systemIdentifier, id);
  const ended = unfinished.begin(prefix);
  try {
    return await take(options);
  } catch (error) {
    // Not when there is a manifest, whatever went wrong after it was written: then the backup is whole.
    await unfinished.removeFailed(prefix).catch(() => {});
    throw error;
  } finally {
    ended();
  }
}

async function take(options: NodeBackupOptions): Promise<NodeBackupResult> {
  const { id, node, systemIdentifier, repository, copies, signal, clock } = options;
  const startedAtUs = Math.round(clock.nowMs() * 1000);
  const files: BackupFile[] = [];
  const packPaths: string[] = [];
  let started: BaseBackupStarted | null = null;
  let finished: BaseBackupFinished | null = null;

  const frames = async function* (): AsyncGenerator<BaseBackupFrame> {
    for await (const part of options.parts) {
      signal.throwIfAborted();
      if (part.kind === 'frame') yield part;
      else if (part.kind === 'file') files.push(part.file);
      else if (part.kind === 'progress') options.onProgress('copy', part.bytesDone, part.bytesTotal);
      else if (part.kind === 'finished') finished = part;
      else started = checkStarted(part, options);
    }
  };
  const { packs, frames: frameTable } = await writePacks(frames(), {
    repository,
    pathOf: (pack) => backupPackPath(node, systemIdentifier, id, pack),
    onPack: (path) => packPaths.push(path),
    ...(options.packBytesMax === undefined ? {} : { packBytesMax: options.packBytesMax }),
  });

  const begin = started as BaseBackupStarted | null;
  const end = finished as BaseBackupFinished | null;
  if (begin === null || end === null) {
    throw new TidemarkError('TM-BACKUP-001', `the agent of ${node} ended its base backup early`);
  }
  const manifest: BackupManifest = {
    format: BACKUP_MANIFEST_FORMAT,
    type: 'full',
    id,
    node,
    systemIdentifier,
    ...positionsOf(begin, end, node),
    stopLsn: end.stopLsn,
    startedAtUs,
    finishedAtUs: Math.round(clock.nowMs() * 1000),
    serverVersionNum: begin.instance.serverVersionNum,
    walSegmentBytes: begin.instance.walSegmentBytes,
    dataChecksums: begin.instance.dataChecksums,
    settings: { ...end.settings },
    tablespaces: [...end.tablespaces],
    directories: [...end.directories],
    backupLabel: end.backupLabel.toString('base64'),
    tablespaceMap: end.tablespaceMap.toString('base64'),
    pagesVerified: end.pagesVerified,
    filesVanished: end.filesVanished,
    packs: [...packs],
    frames: [...frameTable],
    files,
  };
  await waitForWal(manifest, options);
  options.onProgress('copies', 0, 0);
  await Promise.all(packPaths.map((path) => copies.waitForObject(path, signal)));
  signal.throwIfAborted();
  const { path } = await writeBackupManifest(repository, manifest, options.zstd);
  return { manifest, dataCenters: await copies.waitForObject(path, signal) };
}

function checkStarted(started: BaseBackupStarted, options: NodeBackupOptions): BaseBackupStarted {
  const { node, systemIdentifier } = started.instance;
  if (node !== options.node || systemIdentifier !== options.systemIdentifier) {
    throw new TidemarkError(
      'TM-PG-003',
      `the agent backs up ${node} (${systemIdentifier}), not ${options.node} (${options.systemIdentifier})`,
    );
  }
  options.onProgress('copy', 0, started.bytesTotal);
  return started;
}

/** backup_label is what recovery will follow, so it is what counts. */
function positionsOf(started: BaseBackupStarted, finished: BaseBackupFinished, node: string) {
  const { startLsn, checkpointLsn, timeline } = parseBackupLabel(finished.backupLabel);
  if (startLsn !== started.startLsn || timeline !== started.timeline) {
    throw new TidemarkError('TM-BACKUP-001', `the server of ${node} began another backup than its agent was told of`);
  }
  return { startLsn, checkpointLsn, timeline };
}

/** Without the WAL from start to stop the files are worth nothing. */
async function waitForWal(manifest: BackupManifest, options: NodeBackupOptions): Promise<void> {
  const { node, systemIdentifier, timeline, startLsn, stopLsn, walSegmentBytes } = manifest;
  const stream = { node, systemIdentifier, timeline };
  options.onProgress('wal', 0, 0);
  await options.copies.waitForAcknowledged(stream, stopLsn, options.signal);
  if (!options.holdsWal(stream, { startLsn: segmentStart(startLsn, walSegmentBytes), endLsn: stopLsn })) {
    throw new TidemarkError('TM-BACKUP-001', `WAL of ${node} that was written during the backup is not held`, {
      hint: 'Take the backup again: it began before the WAL stream did, or before a gap in it.',
    });
  }
}
