import { readFileSync } from 'node:fs';
import path from 'node:path';
import { segmentEnd, segmentName, segmentStart } from '../../shared/postgres/wal-segment.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';

/** The bytes [start of the segment of `fromLsn`, `endLsn`) from a data directory's pg_wal. */
export function readWalFiles(
  dataDirectory: string,
  timeline: number,
  segmentBytes: number,
  fromLsn: Lsn,
  endLsn: Lsn,
): { readonly startLsn: Lsn; readonly bytes: Buffer } {
  const startLsn = segmentStart(fromLsn, segmentBytes);
  const parts: Buffer[] = [];
  for (let at = startLsn; at < endLsn; at = segmentEnd(at, segmentBytes)) {
    parts.push(readFileSync(path.join(dataDirectory, 'pg_wal', segmentName(timeline, at, segmentBytes))));
  }
  return { startLsn, bytes: Buffer.concat(parts).subarray(0, Number(endLsn - startLsn)) };
}
