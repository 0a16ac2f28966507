import { isoTime, parseIsoTime } from '../../shared/any-time/iso-time.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';

/** This machine's clock may be behind the leader's, whose time is meant. */
const AHEAD_MAX_MS = 60_000;

/**
 * Reads a time on the command line: RFC 3339 with its zone.
 * @returns microseconds since 1970-01-01 UTC
 * @throws TidemarkError TM-USAGE-001 if it is malformed, has no zone or lies in the future
 */
export function parsePastTime(text: string, clock: Pick<Clock, 'nowMs'>): number {
  const timeUs = parseIsoTime(text);
  if (timeUs > (clock.nowMs() + AHEAD_MAX_MS) * 1000) {
    throw new TidemarkError('TM-USAGE-001', `${isoTime(timeUs)} lies in the future`);
  }
  return timeUs;
}
