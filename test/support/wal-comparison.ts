import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { debianProgram } from './debian-packages.ts';

const SEGMENT_NAME = /^[0-9A-F]{24}$/;

/** One segment as a copy holds it. */
interface StoredSegment {
  readonly name: string;
  readonly file: string;
  /** Still in the journal: the segment's beginning only. */
  readonly unfinished: boolean;
}

/** What was found in one copy of one node. */
export interface WalComparison {
  readonly finishedSegments: number;
  readonly comparedBytes: number;
  /** One past the last byte of the copy, as a number of bytes. */
  readonly endLsn: bigint;
}

/**
 * Compares a copy with PostgreSQL's own files, byte for byte, through the `zstd` program as a stranger would do it: every segment from
 * the first one is there, each finished one equals PostgreSQL's, and what lies in the journal is how PostgreSQL's begins.
 * @param walDirectory pg_wal of the source, which must have kept everything
 * @throws Error that names the segment and the first byte that differs
 */
export async function compareWal(
  repositoryPath: string,
  node: string,
  systemIdentifier: string,
  walDirectory: string,
  timeline = 1,
): Promise<WalComparison> {
  const stored = storedSegments(repositoryPath, node, systemIdentifier, timeline);
  const what = `${repositoryPath}, ${node}`;
  if (stored.length === 0) throw new Error(`${what}: no WAL at all`);
  let finishedSegments = 0;
  let comparedBytes = 0;
  let segmentBytes = 0;
  let previous: StoredSegment | null = null;
  let endLsn = 0n;
  for (const segment of stored) {
    const own = await readFile(path.join(walDirectory, segment.name));
    segmentBytes = own.length;
    const copy = await decompress(segment.file);
    if (
      previous !== null &&
      segmentNumber(segment.name, segmentBytes) !== segmentNumber(previous.name, segmentBytes) + 1n
    ) {
      throw new Error(`${what}: ${segment.name} follows ${previous.name}: a gap`);
    }
    if (previous?.unfinished === true && segment !== stored.at(-1)) {
      throw new Error(`${what}: ${previous.name} is unfinished, and is not the last one`);
    }
    if (!segment.unfinished && copy.length !== own.length) {
      throw new Error(`${what}: ${segment.name} has ${copy.length} bytes, not ${own.length}`);
    }
    if (!copy.equals(own.subarray(0, copy.length))) {
      throw new Error(`${what}: ${segment.name} differs at byte ${firstDifference(copy, own)}`);
    }
    finishedSegments += segment.unfinished ? 0 : 1;
    comparedBytes += copy.length;
    endLsn = segmentNumber(segment.name, segmentBytes) * BigInt(segmentBytes) + BigInt(copy.length);
    previous = segment;
  }
  return { finishedSegments, comparedBytes, endLsn };
}

/** In order; where a segment is finished and still in the journal, the finished one. */
function storedSegments(
  repositoryPath: string,
  node: string,
  systemIdentifier: string,
  timeline: number,
): StoredSegment[] {
  const timelineName = timeline.toString(16).toUpperCase().padStart(8, '0');
  const list = (directory: string, unfinished: boolean) =>
    (existsSync(directory) ? readdirSync(directory) : [])
      .filter((name) => name.endsWith('.zst') && SEGMENT_NAME.test(name.slice(0, -4)))
      .map((name) => ({ name: name.slice(0, -4), file: path.join(directory, name), unfinished }));
  const segments = new Map<string, StoredSegment>();
  const journal = list(path.join(repositoryPath, 'journal', node, systemIdentifier, timelineName), true);
  const finished = list(path.join(repositoryPath, 'nodes', node, systemIdentifier, 'wal', timelineName), false);
  for (const segment of [...journal, ...finished]) segments.set(segment.name, segment);
  return [...segments.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Counted from the beginning of the timeline's address space. */
function segmentNumber(name: string, segmentBytes: number): bigint {
  const perLog = 0x1_0000_0000n / BigInt(segmentBytes);
  return BigInt(`0x${name.slice(8, 16)}`) * perLog + BigInt(`0x${name.slice(16)}`);
}

async function decompress(file: string): Promise<Buffer> {
  const { stdout } = await promisify(execFile)(debianProgram('zstd'), ['-dcq', file], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
  });
  return stdout;
}

function firstDifference(a: Buffer, b: Buffer): number {
  for (let position = 0; position < a.length; position++) if (a[position] !== b[position]) return position;
  return a.length;
}
