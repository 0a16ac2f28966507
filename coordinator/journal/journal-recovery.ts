import { copyFile, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NO_LSN, formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { parseSegmentName, segmentEnd, segmentName } from '../../shared/postgres/wal-segment.ts';
import { journalPrefix, journalSegmentPath, walPrefix, walSegmentPath } from '../../shared/repository/layout.ts';
import { isErrno, syncDirectory } from '../../shared/repository/posix-paths.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { JournalEnd } from '../../shared/wal-index/journal-decoder.ts';
import type { JournalEntry } from '../../shared/wal-index/journal-entry.ts';
import { readEntries, readLastHeader, scanEntries } from './entry-reader.ts';

export const SEGMENT_FILE_SUFFIX = '.zst';
const SEGMENT_NAME = /^[0-9A-F]{24}$/;

/** What was found of one run of a stream. */
export interface RecoveredStream {
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  readonly firstLsn: Lsn;
  /** End of what is there without a hole from `firstLsn` on; all of it is durable. */
  readonly durableLsn: Lsn;
  readonly nextRecordLsn: Lsn;
  readonly lastRecordLsn: Lsn;
  /** Start of the last entry; durableLsn if there is none. */
  readonly lastStartLsn: Lsn;
  /** Length of the journal file of the segment that `durableLsn` lies in; 0 if there is none. */
  readonly activeBytes: number;
  /** Segments that are whole and still have a journal file, oldest first. */
  readonly unfinished: readonly Lsn[];
}

export interface Recovery {
  /** In order, with a hole between each two; empty if no file holds an entry. */
  readonly runs: readonly RecoveredStream[];
  /** What a person should know of: what was damaged and set aside. */
  readonly notes: readonly string[];
}

/** Every stream that has a directory in the repository. */
export async function findStreams(root: string): Promise<WalStreamKey[]> {
  const found = new Map<string, WalStreamKey>();
  const add = (node: string, systemIdentifier: string, timelineText: string): void => {
    if (!/^[0-9A-F]{8}$/.test(timelineText)) return;
    const stream = { node, systemIdentifier, timeline: Number.parseInt(timelineText, 16) };
    found.set(walPrefix(stream), stream);
  };
  for (const [base, inner] of [
    ['journal', ''],
    ['nodes', 'wal'],
  ] as const) {
    for (const node of await names(join(root, base))) {
      for (const system of await names(join(root, base, node))) {
        for (const timeline of await names(join(root, base, node, system, inner))) add(node, system, timeline);
      }
    }
  }
  return [...found.values()];
}

/**
 * Finds what a stream's files hold, and makes them so that appending can go on: what a crash left behind the last whole entry is cut
 * off, and what is kept is synced, since a killed process may have left it in the kernel's memory only. Bytes behind
 * damage are set aside under another name, never deleted; a file that is gone leaves a hole, which another copy may fill.
 */
export async function recoverStream(root: string, stream: WalStreamKey): Promise<Recovery> {
  const objects = await segmentNames(join(root, walPrefix(stream)));
  const journals = await segmentNames(join(root, journalPrefix(stream)));
  const notes: string[] = [];
  const segmentBytes = await findSegmentBytes(root, stream, objects, journals);
  if (segmentBytes === null) {
    for (const name of journals)
      await setAside(join(root, journalSegmentPath(stream, name)), notes, 'has no whole entry');
    return { runs: [], notes };
  }
  const files = { root, stream, segmentBytes, isFinished: new Set(objects), inJournal: new Set(journals), notes };
  const starts = [...new Set([...objects, ...journals])]
    .map((name) => parseSegmentName(name, segmentBytes)?.startLsn ?? NO_LSN)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const runs: RecoveredStream[] = [];
  for (const startLsn of starts) {
    const before = runs.at(-1);
    if (before !== undefined && startLsn <= before.durableLsn) continue;
    const run = await recoverRun(files, startLsn);
    if (run.durableLsn > startLsn) runs.push(run);
  }
  return { runs, notes };
}

interface StreamFiles {
  readonly root: string;
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  readonly isFinished: ReadonlySet<string>;
  readonly inJournal: ReadonlySet<string>;
  readonly notes: string[];
}

/** What is there without a hole from a segment's start on. */
async function recoverRun(files: StreamFiles, firstLsn: Lsn): Promise<RecoveredStream> {
  const { root, stream, segmentBytes, isFinished, inJournal, notes } = files;
  const unfinished: Lsn[] = [];
  let end: Pick<JournalEntry, 'startLsn' | 'endLsn' | 'nextRecordLsn' | 'lastRecordLsn'> = {
    startLsn: firstLsn,
    endLsn: firstLsn,
    nextRecordLsn: firstLsn,
    lastRecordLsn: NO_LSN,
  };
  let activeBytes = 0;
  for (;;) {
    const segmentLsn = end.endLsn;
    const name = segmentName(stream.timeline, segmentLsn, segmentBytes);
    const objectFile = join(root, walSegmentPath(stream, name));
    const journalFile = join(root, journalSegmentPath(stream, name));
    if (isFinished.has(name)) {
      const last = await readLastHeader(objectFile);
      if (last !== null && last.endLsn === segmentEnd(segmentLsn, segmentBytes)) {
        end = { ...last, lastRecordLsn: last.lastRecordLsn || end.lastRecordLsn };
        if (inJournal.has(name)) unfinished.push(segmentLsn);
        continue;
      }
      await setAside(objectFile, notes, 'is damaged');
    }
    if (!inJournal.has(name)) break;
    const found = await recoverFile(journalFile, segmentLsn, notes);
    if (found.last !== null) {
      end = { ...found.last, lastRecordLsn: found.last.lastRecordLsn || end.lastRecordLsn };
    }
    if (found.last === null || found.last.endLsn !== segmentEnd(segmentLsn, segmentBytes)) {
      activeBytes = found.validBytes;
      break;
    }
    unfinished.push(segmentLsn);
  }
  const { startLsn: lastStartLsn, endLsn: durableLsn, nextRecordLsn, lastRecordLsn } = end;
  const position = { firstLsn, durableLsn, nextRecordLsn, lastRecordLsn, lastStartLsn };
  return { stream, segmentBytes, ...position, activeBytes, unfinished };
}

/** Verifies one journal file whose first entry must begin at `startLsn`, and cuts it off behind the last entry that joins. */
async function recoverFile(
  path: string,
  startLsn: Lsn,
  notes: string[],
): Promise<{ last: JournalEntry | null; validBytes: number }> {
  let last: JournalEntry | null = null;
  let validBytes = 0;
  let end: JournalEnd;
  const scan = scanEntries(path);
  for (;;) {
    const next = await scan.next();
    if (next.done === true) {
      end = next.value;
      break;
    }
    const { entry, offsetBytes, entryBytes } = next.value;
    if (entry.startLsn !== (last?.endLsn ?? startLsn)) {
      end = { kind: 'corrupt', validBytes, problem: `an entry begins at ${formatLsn(entry.startLsn)}` };
      await scan.return(end);
      break;
    }
    last = entry;
    validBytes = offsetBytes + entryBytes;
  }
  if (end.kind === 'corrupt') {
    const aside = `${path}.damaged-${validBytes}`;
    await copyFile(path, aside);
    notes.push(`${path} is damaged at byte ${validBytes} (${end.problem}): cut off there, kept as ${aside}`);
  }
  const handle = await open(path, 'r+');
  try {
    await cutOff(handle, validBytes);
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(path));
  return { last, validBytes };
}

async function cutOff(handle: FileHandle, validBytes: number): Promise<void> {
  if ((await handle.stat()).size !== validBytes) await handle.truncate(validBytes);
  await handle.sync();
}

/** Out of the way of everything that looks for segments, but there for a person. An empty file is removed. */
async function setAside(path: string, notes: string[], why: string): Promise<void> {
  const handle = await open(path, 'r');
  const { size } = await handle.stat();
  await handle.close();
  if (size === 0) {
    await rm(path);
  } else {
    await rename(path, `${path}.aside`);
    notes.push(`${path} ${why}: kept as ${path}.aside`);
  }
  await syncDirectory(dirname(path));
}

/** The size of the stream's segments, as the first entry that can be read says. */
async function findSegmentBytes(
  root: string,
  stream: WalStreamKey,
  objects: readonly string[],
  journals: readonly string[],
): Promise<number | null> {
  const files = [
    ...journals.map((name) => journalSegmentPath(stream, name)),
    ...objects.map((name) => walSegmentPath(stream, name)),
  ];
  for (const file of files) {
    try {
      for await (const { entry } of readEntries(join(root, file))) return entry.segmentBytes;
    } catch {
      // Damaged at its beginning; another file will do, and this one is looked at again.
    }
  }
  return null;
}

async function segmentNames(directory: string): Promise<string[]> {
  const files = await names(directory);
  return files
    .filter((file) => file.endsWith(SEGMENT_FILE_SUFFIX))
    .map((file) => file.slice(0, -SEGMENT_FILE_SUFFIX.length))
    .filter((name) => SEGMENT_NAME.test(name))
    .sort();
}

async function names(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
