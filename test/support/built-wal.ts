import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import { WalParser, type WalParserOptions } from '../../shared/wal/wal-parser.ts';
import { appendTransaction } from './transaction-records.ts';
import { mainData, type WalBuilder } from './wal-builder.ts';

export const HEAP = 10;

/** A parser of what a builder makes. */
export function parserOf(builder: WalBuilder, options: Partial<WalParserOptions> = {}): WalParser {
  return new WalParser({
    timeline: builder.timeline,
    segmentBytes: builder.segmentBytes,
    systemIdentifier: builder.systemIdentifier,
    startLsn: builder.startLsn,
    atRecord: false,
    ...options,
  });
}

/** A record of which nothing but its length matters. */
export function heapRecord(builder: WalBuilder, bytes: number): void {
  builder.record({ manager: HEAP, info: 0, xid: 9, body: mainData(Buffer.alloc(bytes, bytes & 0xff)) });
}

/** A transaction that ends, and nothing else of it. */
export function commit(builder: WalBuilder, xid: number): TransactionEvent {
  return appendTransaction(builder, { kind: 'commit', xid, timeUs: BigInt(xid), databaseOid: 0, subxids: [] });
}

/** Splits into pieces whose lengths are taken in turn. */
export function* pieces(bytes: Buffer, lengths: readonly number[]): Iterable<Buffer> {
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
}
