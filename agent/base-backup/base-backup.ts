import type { Client } from 'pg';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import { CONTROL_FILE_BYTES, CONTROL_FILE_PATH } from '../../shared/postgres/pg-control.ts';
import { type BackupStart, BackupSession } from './backup-session.ts';
import { type BackedUpFile, FileAssembly } from './file-assembly.ts';
import { listFiles, type ListedFile, type ListedTablespace } from './file-list.ts';
import { type FramePlan, isBundled, type PlannedPart, planFrames } from './frame-plan.ts';
import { FrameReader } from './frame-reader.ts';
import type { PartResult, ReadPart, ReadTimes } from './read-job.ts';

/** What a base backup consists of, in the order in which it is sent. */
export type BaseBackupItem =
  | { readonly kind: 'started'; readonly start: BackupStart; readonly bytesTotal: number; readonly filesTotal: number }
  | {
      readonly kind: 'frame';
      readonly sequence: number;
      readonly frame: Buffer;
      readonly contentBytes: number;
      readonly contentSha256: Buffer;
    }
  | { readonly kind: 'file'; readonly file: BackedUpFile }
  | { readonly kind: 'progress'; readonly bytesDone: number; readonly bytesTotal: number }
  | { readonly kind: 'finished'; readonly finished: BaseBackupEnd };

export interface BaseBackupEnd {
  readonly stopLsn: Lsn;
  readonly backupLabel: Buffer;
  readonly tablespaceMap: Buffer;
  readonly directories: readonly string[];
  readonly tablespaces: readonly ListedTablespace[];
  readonly pagesVerified: number;
  readonly filesVanished: number;
  readonly settings: Readonly<Record<string, string>>;
  /** Where the reading threads' time went. */
  readonly times: ReadTimes;
}

export interface BaseBackupOptions {
  /** A connection of its own, which the backup closes. */
  readonly connect: () => Promise<Client>;
  readonly backupId: string;
  readonly fastCheckpoint: boolean;
  readonly workers: number;
  readonly compressionLevel: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const PROGRESS_INTERVAL_MS = 500;

/**
 * Takes a full base backup of a running server. The items are pulled: whoever takes them slowly makes the reading wait, and
 * whoever stops taking them ends the backup.
 * @throws TidemarkError TM-BACKUP-001
 */
export async function* takeBaseBackup(options: BaseBackupOptions): AsyncGenerator<BaseBackupItem> {
  const session = new BackupSession(await options.connect());
  try {
    const start = await session.start(`tidemark ${options.backupId}`, options.fastCheckpoint);
    const reader = new FrameReader({
      workers: options.workers,
      dataDirectory: start.dataDirectory,
      compressionLevel: options.compressionLevel,
      pageBytes: start.pageBytes,
      segmentBlocks: start.segmentBlocks,
    });
    try {
      yield* readAll(options, session, start, reader);
    } finally {
      await reader.close();
    }
  } finally {
    await session.close();
  }
}

async function* readAll(
  options: BaseBackupOptions,
  session: BackupSession,
  start: BackupStart,
  reader: FrameReader,
): AsyncGenerator<BaseBackupItem> {
  const major = Math.floor(start.serverVersionNum / 10000);
  const list = await listFiles(start.dataDirectory, major);
  const files = [...list.files, controlFile(options.clock)];
  const controlPlan: FramePlan = [{ file: files.length - 1, offsetBytes: 0, lengthBytes: CONTROL_FILE_BYTES }];
  const plans = [...planFrames(list.files)];
  const assembly = new FileAssembly(files, [...plans, controlPlan]);
  const bytesTotal = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  yield { kind: 'started', start, bytesTotal, filesTotal: files.length };

  const partsOf = (plan: FramePlan): readonly ReadPart[] =>
    plan.map((part) => readPart(files[part.file]!, part, start));
  let sequence = 0;
  let bytesDone = 0;
  let pagesVerified = 0;
  let progressAt = options.clock.monotonicMs();

  // pg_control last: it must not be older than anything else in the backup.
  for (const round of [plans, [controlPlan]]) {
    for await (const { plan, result } of reader.read(round, partsOf, options.signal)) {
      session.check();
      const parts = await withoutPagesFromReplay(result.parts, start.startLsn, session);
      const finished = assembly.add(plan, parts, sequence);
      if (result.frame !== null) {
        const { frame, contentBytes, contentSha256 } = result;
        yield { kind: 'frame', sequence, frame, contentBytes, contentSha256 };
        sequence += 1;
        bytesDone += contentBytes;
      }
      for (const file of finished) yield { kind: 'file', file };
      for (const part of parts) pagesVerified += part.pagesVerified;
      const now = options.clock.monotonicMs();
      if (now - progressAt >= PROGRESS_INTERVAL_MS) {
        progressAt = now;
        yield { kind: 'progress', bytesDone, bytesTotal: Math.max(bytesTotal, bytesDone) };
      }
    }
  }
  yield { kind: 'progress', bytesDone, bytesTotal: bytesDone };

  const stop = await session.stop();
  yield {
    kind: 'finished',
    finished: {
      ...stop,
      directories: list.directories,
      tablespaces: list.tablespaces,
      pagesVerified,
      filesVanished: assembly.filesVanished,
      settings: start.settings,
      times: reader.times,
    },
  };
}

function controlFile(clock: Clock): ListedFile {
  return {
    path: CONTROL_FILE_PATH,
    sizeBytes: CONTROL_FILE_BYTES,
    mode: 0o600,
    modifiedAtUs: Math.round(clock.nowMs() * 1000),
    relation: null,
  };
}

function readPart(file: ListedFile, planned: PlannedPart, start: BackupStart): ReadPart {
  const range = { path: file.path, offsetBytes: planned.offsetBytes, lengthBytes: planned.lengthBytes };
  if (file.path === CONTROL_FILE_PATH) return { ...range, kind: 'control' };
  const { relation } = file;
  if (relation !== null) {
    const verified = start.dataChecksums && (relation.fork === 'main' || relation.fork === 'vm');
    return verified ? { ...range, kind: 'pages', segment: relation.segment } : { ...range, kind: 'range' };
  }
  // A file that was listed larger than a bundle is read in several frames, each what it is when its turn comes.
  return { ...range, kind: isBundled(file) ? 'whole' : 'range' };
}

/**
 * Leaves out the failed pages that the server wrote after the backup's start: those may be torn, and the WAL holds a whole image of
 * each. A page that names a position behind the server's own is not one of them: its header is damaged.
 */
async function withoutPagesFromReplay(
  parts: readonly PartResult[],
  startLsn: Lsn,
  session: BackupSession,
): Promise<readonly PartResult[]> {
  if (!parts.some((part) => part.failed.some((page) => page.lsn >= startLsn))) return parts;
  const endLsn = await session.currentLsn();
  return parts.map((part) => ({
    ...part,
    failed: part.failed.filter((page) => page.lsn < startLsn || page.lsn > endLsn),
  }));
}
