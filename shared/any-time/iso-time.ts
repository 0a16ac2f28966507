import { TidemarkError } from '../errors/tidemark-error.ts';

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})?$/;

/**
 * Reads a time with a zone, RFC 3339: `2026-11-22T12:15:30.123456+01:00`. What is finer than a microsecond is cut off.
 * @returns microseconds since 1970-01-01 UTC
 * @throws TidemarkError TM-USAGE-001 for anything else, such as a time without a zone
 */
export function parseIsoTime(text: string): number {
  const match = RFC3339.exec(text);
  const malformed = (what: string) =>
    new TidemarkError('TM-USAGE-001', `${JSON.stringify(text)} ${what}`, {
      hint: 'A time looks like 2026-11-22T12:15:30.123Z or 2026-11-22T13:15:30+01:00.',
    });
  if (match === null) throw malformed('is not a time');
  const [, year, month, day, hour, minute, second, fraction = '', zone] = match;
  if (zone === undefined) throw malformed('has no time zone');
  const seconds = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const localMs = Date.parse(`${seconds}Z`);
  const shift = /^[+-](\d{2}):(\d{2})$/.exec(zone);
  // Some parsers carry 30 February over into March.
  if (Number.isNaN(localMs) || !new Date(localMs).toISOString().startsWith(seconds)) throw malformed('is no date');
  const shiftMinutes = shift === null ? 0 : Number(shift[1]) * 60 + Number(shift[2]);
  if (shiftMinutes >= 24 * 60) throw malformed('has no such time zone');
  const ms = localMs - (zone.startsWith('-') ? -1 : 1) * shiftMinutes * 60_000;
  return ms * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

/** As RFC 3339 in UTC, to the microsecond. */
export function isoTime(timeUs: number): string {
  const us = Math.floor(timeUs);
  const wholeMs = new Date(Math.floor(us / 1000)).toISOString().slice(0, -1);
  return `${wholeMs}${(((us % 1000) + 1000) % 1000).toString().padStart(3, '0')}Z`;
}
