import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { advanceLsn, minLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { segmentEnd, segmentName, segmentStart } from '../../../shared/postgres/wal-segment.ts';
import type { ChangedBlockCollector } from '../../../shared/wal/changed-block-collector.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import { WalParser } from '../../../shared/wal/wal-parser.ts';
import { describeRecord, type DescribedRecord } from './described-record.ts';

/** Odd, so that records are cut everywhere. */
const PIECE_BYTES = 1_000_003;

export interface WalFiles {
  readonly directory: string;
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
  /** Of the first segment that is read, or within it. */
  readonly fromLsn: Lsn;
  readonly endLsn: Lsn;
  readonly changedBlocks?: ChangedBlockCollector;
}

/** The records of a range of files in pg_wal, from the start of the first segment on, some at a time. */
export async function* parseWalFiles(
  files: WalFiles,
  recordsAtOnce: number,
): AsyncGenerator<{
  readonly records: readonly DescribedRecord[];
  readonly events: readonly TransactionEvent[];
  readonly parser: WalParser;
}> {
  const { directory, systemIdentifier, segmentBytes, endLsn, changedBlocks } = files;
  const startLsn = segmentStart(files.fromLsn, segmentBytes);
  let records: DescribedRecord[] = [];
  let events: TransactionEvent[] = [];
  const parser = new WalParser({
    timeline: 1,
    segmentBytes,
    systemIdentifier,
    startLsn,
    atRecord: false,
    ...(changedBlocks === undefined ? {} : { changedBlocks }),
    onRecord: (record) => records.push(describeRecord(record, segmentBytes)),
  });
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let segment = startLsn; segment < endLsn; segment = segmentEnd(segment, segmentBytes)) {
    const file = openSync(path.join(directory, segmentName(1, segment, segmentBytes)), 'r');
    try {
      const end = minLsn(segmentEnd(segment, segmentBytes), endLsn);
      for (let at = segment; at < end;) {
        const wanted = Math.min(PIECE_BYTES, Number(end - at));
        const read = readSync(file, piece, 0, wanted, Number(at - segment));
        if (read === 0) throw new Error(`${segmentName(1, segment, segmentBytes)} ends early`);
        events.push(...parser.push(piece.subarray(0, read)));
        at = advanceLsn(at, read);
        if (records.length >= recordsAtOnce) {
          yield { records, events, parser };
          records = [];
          events = [];
        }
      }
    } finally {
      closeSync(file);
    }
  }
  yield { records, events, parser };
}
