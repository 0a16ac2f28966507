import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { parseTimelineHistory, timelineStart } from '../../shared/postgres/timeline-history.ts';
import type { NextTimeline, ReplicationConnection } from './replication-connection.ts';

export interface TimelineHistoryFile {
  readonly timeline: number;
  /** The .history file, verbatim. */
  readonly content: Buffer;
}

/**
 * The history of a timeline and of each of its ancestors that has one; timeline 1 has none.
 * @throws TidemarkError TM-WAL-003 if the timeline's own is missing: nothing could be restored on it
 */
export async function readTimelineHistories(
  connection: ReplicationConnection,
  timeline: number,
): Promise<TimelineHistoryFile[]> {
  if (timeline === 1) return [];
  const own = await connection.timelineHistory(timeline);
  if (own === null) {
    throw new TidemarkError('TM-WAL-003', `PostgreSQL has no history file of timeline ${timeline}`, {
      hint: 'Check that the server is on this timeline, and put the .history file back into pg_wal.',
    });
  }
  const histories: TimelineHistoryFile[] = [];
  for (const ancestor of ancestorsOf(own)) {
    // An ancestor's own file says nothing that this one does not; a server may have lost it.
    const content = ancestor === 1 ? null : await connection.timelineHistory(ancestor);
    if (content !== null) histories.push({ timeline: ancestor, content });
  }
  return [...histories, { timeline, content: own }];
}

/**
 * Where the server's history left a timeline, if it did so before `fromLsn`: what was read of the timeline behind that never happened for
 * this server, and no more of it will come. Null if the server may have WAL of the timeline from `fromLsn` on.
 */
export async function leftBefore(
  connection: Pick<ReplicationConnection, 'timelineHistory'>,
  serverTimeline: number,
  timeline: number,
  fromLsn: Lsn,
): Promise<NextTimeline | null> {
  const content = timeline < serverTimeline ? await connection.timelineHistory(serverTimeline) : null;
  if (content === null) return null;
  const { ancestors } = parseTimelineHistory(serverTimeline, content);
  const index = ancestors.findIndex((ancestor) => ancestor.timeline === timeline);
  const left = ancestors[index];
  if (left === undefined || fromLsn <= left.switchLsn) return null;
  return { timeline: ancestors[index + 1]?.timeline ?? serverTimeline, startLsn: left.switchLsn };
}

/** Where a timeline left its parent, as its own history says; NO_LSN for timeline 1. */
export function forkOf(timeline: number, histories: readonly TimelineHistoryFile[]): Lsn {
  const own = histories.find((history) => history.timeline === timeline);
  return own === undefined ? NO_LSN : timelineStart(parseTimelineHistory(timeline, own.content));
}

/** The first number of each line that is not empty or a comment. */
function ancestorsOf(history: Buffer): number[] {
  return history
    .toString('utf8')
    .split('\n')
    .map((line) => /^\s*(\d+)\s/.exec(line)?.[1])
    .filter((number) => number !== undefined)
    .map(Number);
}
