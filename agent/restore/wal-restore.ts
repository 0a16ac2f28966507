import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably } from '../../shared/files/durable-file.ts';
import { advanceLsn, formatLsn, type Lsn, maxLsn, minLsn } from '../../shared/postgres/lsn.ts';
import { parseTimelineHistory } from '../../shared/postgres/timeline-history.ts';
import { segmentEnd, segmentName } from '../../shared/postgres/wal-segment.ts';
import { historyPath, journalSegmentPath, timelineName, walSegmentPath } from '../../shared/repository/layout.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import { JournalDecoder } from '../../shared/wal-index/journal-decoder.ts';
import type { JournalEntry } from '../../shared/wal-index/journal-entry.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { RestoreRequest } from './restore-request.ts';

interface WalRestoreOptions {
  readonly request: RestoreRequest;
  readonly repository: ReadableRepository;
  readonly writer: FrameWriter;
  readonly signal: AbortSignal;
  readonly fileMode: number;
  readonly onBytes: (bytes: number) => void;
}

/** One timeline's part of the history that leads to the target. */
interface TimelineSpan {
  readonly timeline: number;
  readonly startLsn: Lsn;
  /** Null: this is the target's own. */
  readonly endLsn: Lsn | null;
}

/**
 * Writes the WAL from `walFromLsn` to `walEndLsn` into pg_wal, as whole segment files whose rest is zeros, and the history
 * files. A segment in which the timeline changes holds the old one's bytes up to there, as PostgreSQL itself makes it.
 * @returns the files written, not yet synced
 * @throws TidemarkError TM-WAL-003 for a gap, TM-REPO-003 for damage
 */
export async function restoreWal(options: WalRestoreOptions): Promise<readonly string[]> {
  const { request, signal } = options;
  const directory = path.join(request.directory, 'pg_wal');
  await mkdir(path.join(directory, 'archive_status'), { recursive: true, mode: 0o700 });
  const spans = await restoreHistories(options, directory);
  const files: string[] = [];
  for (let start = request.walFromLsn; start < request.walEndLsn; start = segmentEnd(start, request.walSegmentBytes)) {
    signal.throwIfAborted();
    const end = minLsn(segmentEnd(start, request.walSegmentBytes), request.walEndLsn);
    const parts = spans
      .map((span) => ({
        timeline: span.timeline,
        from: maxLsn(start, span.startLsn),
        to: span.endLsn === null ? end : minLsn(end, span.endLsn),
      }))
      .filter((part) => part.from < part.to);
    for (const [index, { timeline }] of parts.entries()) {
      const file = path.join(directory, segmentName(timeline, start, request.walSegmentBytes));
      await makeSegment(file, request.walSegmentBytes, options.fileMode);
      for (const part of parts.slice(0, index + 1)) await restorePart(options, part, start, file);
      files.push(file);
    }
  }
  return files;
}

/** The histories of the target's timeline and of its ancestors, and the spans of WAL that they name. */
async function restoreHistories(options: WalRestoreOptions, directory: string): Promise<TimelineSpan[]> {
  const { repository, request } = options;
  const { node, systemIdentifier, timeline } = request;
  const first = { timeline, startLsn: 0n as Lsn, endLsn: null };
  if (timeline === 1) return [first];
  const history = parseTimelineHistory(timeline, await readHistory(options, timeline));
  for (const each of [...history.ancestors.map((ancestor) => ancestor.timeline), timeline]) {
    const known = each === 1 ? null : await repository.stat(historyPath(node, systemIdentifier, each));
    if (known === null && each !== timeline) continue;
    const content = await readHistory(options, each);
    await replaceFileDurably(path.join(directory, `${timelineName(each)}.history`), content, options.fileMode);
  }
  let startLsn = 0n as Lsn;
  const spans: TimelineSpan[] = history.ancestors.map((ancestor) => {
    const span = { timeline: ancestor.timeline, startLsn, endLsn: ancestor.switchLsn };
    startLsn = ancestor.switchLsn;
    return span;
  });
  return [...spans, { timeline, startLsn, endLsn: null }];
}

async function readHistory({ repository, request }: WalRestoreOptions, timeline: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of repository.read(historyPath(request.node, request.systemIdentifier, timeline))) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function makeSegment(file: string, segmentBytes: number, mode: number): Promise<void> {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_TRUNC } = constants;
  const handle = await open(file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_TRUNC, mode);
  try {
    await handle.truncate(segmentBytes);
  } finally {
    await handle.close();
  }
}

interface WalPart {
  readonly timeline: number;
  readonly from: Lsn;
  readonly to: Lsn;
}

/** Writes the bytes [from, to) of one timeline; what the entries hold before and behind is not written. */
async function restorePart(options: WalRestoreOptions, part: WalPart, segment: Lsn, file: string): Promise<void> {
  const { writer, signal, request } = options;
  let position = part.from;
  for await (const { entry, name } of readEntries(options, part.timeline, segment)) {
    signal.throwIfAborted();
    if (entry.timeline !== part.timeline || entry.segmentBytes !== request.walSegmentBytes) {
      throw new TidemarkError('TM-REPO-003', `${name} holds WAL of another timeline or segment size`);
    }
    if (entry.endLsn <= position) continue;
    if (entry.startLsn > position) throw gap(name, position, entry.startLsn);
    const end = minLsn(entry.endLsn, part.to);
    await writer.write({
      name: `the WAL at ${formatLsn(entry.startLsn)} in ${name}`,
      frame: entry.frame,
      contentBytes: Number(entry.endLsn - entry.startLsn),
      contentSha256: entry.contentSha256.toString('hex'),
      writes: [
        {
          file,
          contentOffset: Number(position - entry.startLsn),
          lengthBytes: Number(end - position),
          fileOffset: Number(position - segment),
        },
      ],
    });
    options.onBytes(Number(end - position));
    position = end;
    if (position >= part.to) return;
  }
  throw gap(options.repository.name, position, part.to);
}

function gap(name: string, from: Lsn, to: Lsn): TidemarkError {
  return new TidemarkError('TM-WAL-003', `${name} has no WAL from ${formatLsn(from)} to ${formatLsn(to)}`, {
    hint: 'Restore from another copy, or to an earlier snapshot.',
  });
}

/**
 * The entries of a segment, from the finished object, else from the journal. A segment can be finished in between, so the
 * object is looked for once more.
 */
async function* readEntries(
  { repository, request }: WalRestoreOptions,
  timeline: number,
  segment: Lsn,
): AsyncGenerator<{ readonly entry: JournalEntry; readonly name: string }> {
  const stream = { node: request.node, systemIdentifier: request.systemIdentifier, timeline };
  const file = segmentName(timeline, segment, request.walSegmentBytes);
  const finished = walSegmentPath(stream, file);
  for (const name of [finished, journalSegmentPath(stream, file), finished]) {
    if ((await repository.stat(name)) === null) continue;
    const decoder = new JournalDecoder();
    for await (const chunk of repository.read(name)) {
      for (const { entry } of decoder.push(chunk)) yield { entry, name: `${name} in ${repository.name}` };
    }
    const end = decoder.end();
    // A journal may end in an entry that is being written. Whoever needs what lies behind finds the gap.
    if (end.kind === 'corrupt' || (end.kind === 'torn' && name === finished)) {
      throw new TidemarkError(
        'TM-REPO-003',
        `${name} in ${repository.name} is damaged at byte ${end.validBytes}: ${end.problem}`,
      );
    }
    return;
  }
  throw gap(repository.name, segment, advanceLsn(segment, request.walSegmentBytes));
}
