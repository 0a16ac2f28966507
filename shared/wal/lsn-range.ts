import { maxLsn, minLsn, type Lsn } from '../postgres/lsn.ts';

/** The bytes of one WAL stream from `startLsn` to just before `endLsn`. */
export interface LsnRange {
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
}

/** What of `wanted` is in none of `held`, in order. Both may be given in any order and overlap. */
export function missingFrom(wanted: readonly LsnRange[], held: readonly LsnRange[]): LsnRange[] {
  const taken = joinLsnRanges(held);
  return joinLsnRanges(wanted).flatMap((range) => {
    const missing: LsnRange[] = [];
    let position = range.startLsn;
    for (const { startLsn, endLsn } of taken) {
      if (endLsn <= position || startLsn >= range.endLsn) continue;
      if (startLsn > position) missing.push({ startLsn: position, endLsn: startLsn });
      position = minLsn(endLsn, range.endLsn);
    }
    if (position < range.endLsn) missing.push({ startLsn: position, endLsn: range.endLsn });
    return missing;
  });
}

/** The same bytes in ranges that neither overlap nor touch, in order; empty ones are left out. */
export function joinLsnRanges(ranges: readonly LsnRange[]): LsnRange[] {
  const joined: LsnRange[] = [];
  for (const range of ranges.toSorted((a, b) => (a.startLsn < b.startLsn ? -1 : 1))) {
    const last = joined.at(-1);
    if (range.endLsn <= range.startLsn) continue;
    if (last === undefined || last.endLsn < range.startLsn) joined.push(range);
    else joined[joined.length - 1] = { startLsn: last.startLsn, endLsn: maxLsn(last.endLsn, range.endLsn) };
  }
  return joined;
}
