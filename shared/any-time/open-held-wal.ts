import { TidemarkError } from '../errors/tidemark-error.ts';
import { minLsn, type Lsn } from '../postgres/lsn.ts';
import { isSegmentSize, parseSegmentName } from '../postgres/wal-segment.ts';
import { journalPrefix, walPrefix } from '../repository/layout.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import { JournalDecoder } from '../wal-index/journal-decoder.ts';
import { HeldWal } from './held-wal.ts';
import { newestHistory, type NodeAtTime } from './surroundings.ts';

/** A node's WAL as a copy holds it, and where it begins, which is looked for only when it is asked for. */
export interface OpenedWal {
  readonly wal: HeldWal;
  readonly firstLsn: () => Promise<Lsn>;
}

/** @throws TidemarkError TM-SNAP-004 if there is no WAL of the node, TM-WAL-003 if its timeline's history is missing */
export async function openHeldWal(repository: ReadableRepository, node: NodeAtTime): Promise<OpenedWal> {
  const history = await newestHistory(repository, node);
  const streams = [...history.ancestors.map(({ timeline }) => timeline), history.timeline].map((timeline) => ({
    node: node.node,
    systemIdentifier: node.systemIdentifier,
    timeline,
  }));
  const segmentBytes = node.segmentBytes ?? (await findSegmentBytes(repository, node, streams));
  const options = { repository, node: node.node, systemIdentifier: node.systemIdentifier, segmentBytes, history };
  return {
    wal: new HeldWal(options),
    firstLsn: async () => {
      const starts: Lsn[] = [];
      for await (const name of segmentNames(repository, streams)) {
        const file = parseSegmentName(name.segment, segmentBytes);
        if (file !== null) starts.push(file.startLsn);
      }
      const [first, ...others] = starts;
      if (first === undefined) throw noWal(node);
      return others.reduce(minLsn, first);
    },
  };
}

interface Stream {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
}

async function* segmentNames(
  repository: ReadableRepository,
  streams: readonly Stream[],
): AsyncGenerator<{ readonly segment: string; readonly path: string }, void> {
  for (const stream of streams) {
    for (const prefix of [walPrefix(stream), journalPrefix(stream)]) {
      for await (const { path } of repository.list(prefix)) {
        if (path.endsWith('.zst')) yield { segment: path.slice(prefix.length, -'.zst'.length), path };
      }
    }
  }
}

/** Every entry says it. */
async function findSegmentBytes(
  repository: ReadableRepository,
  node: NodeAtTime,
  streams: readonly Stream[],
): Promise<number> {
  for await (const { path } of segmentNames(repository, streams)) {
    const decoder = new JournalDecoder();
    for await (const chunk of repository.read(path)) {
      const [first] = decoder.push(chunk);
      if (first !== undefined && isSegmentSize(first.entry.segmentBytes)) return first.entry.segmentBytes;
    }
  }
  throw noWal(node);
}

function noWal({ node }: NodeAtTime): TidemarkError {
  return new TidemarkError('TM-SNAP-004', `there is no WAL of node ${node} here`);
}
