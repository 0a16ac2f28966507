import assert from 'node:assert/strict';
import { ChangeSetCutter, type RecordReader } from '../../../agent/change-sets/change-set-cutter.ts';
import type { WalRun } from '../../../agent/wal-receiver/wal-buffer.ts';
import { lsn, NO_LSN, type Lsn } from '../../../shared/postgres/lsn.ts';
import { ChangedBlockCollector } from '../../../shared/wal/changed-block-collector.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import { decodeChangedBlocks } from '../../../shared/wal-index/changed-blocks-codec.ts';

/** Takes every byte for a record of its own that commits a transaction. */
class ByteReader implements RecordReader {
  readonly pushed: number[] = [];
  nextRecordLsn: Lsn;
  lastRecordLsn = NO_LSN;

  constructor(startLsn: Lsn) {
    this.nextRecordLsn = startLsn;
  }

  push(bytes: Uint8Array): TransactionEvent[] {
    return [...bytes].map((byte) => {
      this.pushed.push(byte);
      this.lastRecordLsn = this.nextRecordLsn;
      this.nextRecordLsn = lsn(this.nextRecordLsn + 1n);
      return eventAt(this.lastRecordLsn);
    });
  }
}

function eventAt(position: Lsn): TransactionEvent {
  return {
    kind: 'commit',
    lsn: position,
    endLsn: lsn(position + 1n),
    previousLsn: NO_LSN,
    xid: 1,
    databaseOid: 0,
    timeUs: 0n,
    subxids: [],
  };
}

function run(start: number, end: number): WalRun {
  const bytes = Buffer.from(Array.from({ length: end - start }, (_, index) => start + index));
  return { startLsn: lsn(BigInt(start)), endLsn: lsn(BigInt(end)), bytes };
}

function cutterAt(from: number, parseFrom: number, firstEvents: readonly TransactionEvent[] = []) {
  const reader = new ByteReader(lsn(BigInt(parseFrom)));
  const changedBlocks = new ChangedBlockCollector();
  const cutter = new ChangeSetCutter({
    timeline: 1,
    fromLsn: lsn(BigInt(from)),
    parseFromLsn: lsn(BigInt(parseFrom)),
    parser: reader,
    changedBlocks,
    firstEvents,
  });
  return { reader, cutter, changedBlocks };
}

describe('ChangeSetCutter', () => {
  it('gives each change set what was gathered since the one before', () => {
    const { cutter, changedBlocks } = cutterAt(12, 10);
    const blocksOf = (cut: ReturnType<typeof cutter.cut>) =>
      decodeChangedBlocks(cut?.changedBlocks ?? assert.fail()).forks.map(({ ranges }) => [...ranges]);
    changedBlocks.block(1663, 5, 16384, 0, 7);
    assert.equal(cutter.cut(run(10, 12)), null);
    changedBlocks.block(1663, 5, 16384, 0, 9);
    assert.deepEqual(blocksOf(cutter.cut(run(12, 14))), [[7, 8, 9, 10]]);
    assert.deepEqual(blocksOf(cutter.cut(run(14, 15))), []);
    changedBlocks.block(1663, 5, 16384, 0, 9);
    assert.deepEqual(blocksOf(cutter.cut(run(15, 16))), [[9, 10]]);
  });

  it('goes on from run to run', () => {
    const { cutter } = cutterAt(10, 10);
    const first = cutter.cut(run(10, 13));
    const second = cutter.cut(run(13, 15));
    assert.deepEqual(
      [first?.startLsn, first?.endLsn, first?.nextRecordLsn, first?.lastRecordLsn],
      [10n, 13n, 13n, 12n],
    );
    assert.deepEqual([second?.startLsn, second?.endLsn], [13n, 15n]);
    assert.deepEqual(
      second?.events.map((event) => event.lsn),
      [13n, 14n],
    );
  });

  it('parses but leaves out what lies before the wanted start', () => {
    const { cutter, reader } = cutterAt(20, 19);
    // The record that begins at 19 ends after 20.
    reader.push = (bytes) => {
      reader.pushed.push(...bytes);
      return reader.pushed.length < 2 ? [] : [eventAt(lsn(19n))];
    };
    assert.equal(cutter.cut(run(19, 20)), null);
    const first = cutter.cut(run(20, 22));
    assert.deepEqual(reader.pushed, [19, 20, 21]);
    assert.deepEqual([...(first?.content ?? [])], [20, 21]);
    assert.equal(first?.startLsn, 20n);
    assert.equal(first?.events.length, 1);
  });

  it('cuts a run that begins before the wanted start', () => {
    const { cutter, reader } = cutterAt(20, 17);
    reader.push = (bytes) => {
      reader.pushed.push(...bytes);
      return [];
    };
    const first = cutter.cut(run(17, 24));
    assert.deepEqual(reader.pushed, [17, 18, 19, 20, 21, 22, 23]);
    assert.deepEqual([...(first?.content ?? [])], [20, 21, 22, 23]);
  });

  it('leaves padding before the first record unparsed', () => {
    const { cutter, reader } = cutterAt(20, 22);
    const first = cutter.cut(run(20, 25));
    assert.deepEqual(reader.pushed, [22, 23, 24]);
    assert.equal(first?.content.byteLength, 5);
  });

  it('puts the first events into the first change set only', () => {
    const seeded = { ...eventAt(lsn(10n)), seeded: true };
    const { cutter } = cutterAt(10, 10, [seeded]);
    assert.deepEqual(
      cutter.cut(run(10, 11))?.events.map((event) => event.seeded),
      [true, undefined],
    );
    assert.deepEqual(
      cutter.cut(run(11, 12))?.events.map((event) => event.seeded),
      [undefined],
    );
  });
});
