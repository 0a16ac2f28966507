import { TidemarkError } from '../errors/tidemark-error.ts';
import { parseTimelineHistory, type TimelineHistory } from '../postgres/timeline-history.ts';
import type { WalStreamKey } from '../wal/change-set.ts';
import { historyPath } from './layout.ts';
import { readObject } from './read-object.ts';
import type { ReadableRepository } from './repository.ts';

const HISTORY_BYTES_MAX = 1024 * 1024;

/** How the stream's timeline came to be; null until its history is in the repository. */
export async function readHistory(
  repository: Pick<ReadableRepository, 'name' | 'read'>,
  stream: WalStreamKey,
): Promise<TimelineHistory | null> {
  if (stream.timeline === 1) {
    return { timeline: 1, ancestors: [] };
  }
  const path = historyPath(stream.node, stream.systemIdentifier, stream.timeline);
  try {
    return parseTimelineHistory(stream.timeline, await readObject(repository, path, HISTORY_BYTES_MAX));
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'TM-REPO-002') {
      return null;
    }
    throw error;
  }
}
