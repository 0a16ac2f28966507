import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, NO_LSN, parseLsn, type Lsn } from './lsn.ts';

/** A timeline of which a later one is made, and where that one left it. */
export interface TimelineAncestor {
  readonly timeline: number;
  /** WAL from here on is not part of the later timeline's history. */
  readonly switchLsn: Lsn;
}

/** How a timeline came to be: its ancestors, oldest first. Empty for timeline 1. */
export interface TimelineHistory {
  readonly timeline: number;
  readonly ancestors: readonly TimelineAncestor[];
}

const LINE = /^\s*([0-9]+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)(?:\s.*)?$/;
const TIMELINE_MAX = 0xffff_ffff;

/**
 * Reads a `.history` file: for each ancestor a line of its number, the switch position and a reason; `#` begins a comment.
 * Source: src/backend/access/transam/timeline.c.
 * @throws TidemarkError TM-WAL-002 if it is not one, or not one of this timeline
 */
export function parseTimelineHistory(timeline: number, content: Uint8Array): TimelineHistory {
  const ancestors: TimelineAncestor[] = [];
  let before: TimelineAncestor = { timeline: 0, switchLsn: NO_LSN };
  for (const line of Buffer.from(content).toString('utf8').split('\n')) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const match = LINE.exec(line);
    const ancestor = match === null ? null : { timeline: Number(match[1]), switchLsn: parseLsn(match[2] ?? '') };
    if (
      ancestor === null ||
      ancestor.timeline <= before.timeline ||
      ancestor.timeline >= timeline ||
      ancestor.switchLsn < before.switchLsn
    ) {
      throw new TidemarkError('TM-WAL-002', `the history of timeline ${timeline} has the line ${JSON.stringify(line)}`);
    }
    ancestors.push(ancestor);
    before = ancestor;
  }
  if (timeline < 1 || timeline > TIMELINE_MAX || (timeline > 1 && ancestors.length === 0)) {
    throw new TidemarkError('TM-WAL-002', `the history of timeline ${timeline} names no ancestor`);
  }
  return { timeline, ancestors };
}

/** The timeline that the byte at `position` belongs to in this history. */
export function timelineOf(history: TimelineHistory, position: Lsn): number {
  return history.ancestors.find(({ switchLsn }) => position < switchLsn)?.timeline ?? history.timeline;
}

/** Where a timeline begins: the position at which it left its parent; 0 for timeline 1. */
export function timelineStart(history: TimelineHistory): Lsn {
  return history.ancestors.at(-1)?.switchLsn ?? lsn(0n);
}
