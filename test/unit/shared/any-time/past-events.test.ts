import assert from 'node:assert/strict';
import { readPastEvents } from '../../../../shared/any-time/past-events.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { historyPath } from '../../../../shared/repository/layout.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { MadeCopy } from '../verification/made-copy.ts';
import { RECORD_BYTES, SEGMENT_BYTES, systemOf, writeStream } from './made-files.ts';

const BEGIN = 0x100_0000;
const SEGMENTS = 3.5;
const END = BEGIN + SEGMENTS * SEGMENT_BYTES;

/** One record a quarter of a segment. */
function events(fromLsn: number, toLsn: number, firstXid: number): TransactionEvent[] {
  const list: TransactionEvent[] = [];
  for (let at = fromLsn + 1024; at < toLsn; at += SEGMENT_BYTES / 4) {
    list.push({
      kind: 'prepare',
      lsn: lsn(BigInt(at)),
      endLsn: lsn(BigInt(at) + RECORD_BYTES),
      previousLsn: lsn(BigInt(at - 100)),
      xid: firstXid + list.length,
      gid: 'g',
      databaseOid: 5,
      timeUs: 1n,
      subxids: [],
    });
  }
  return list;
}

async function read(copy: MadeCopy, timeline: number, afterLsn: Lsn | null): Promise<[xids: number[], endLsn: number]> {
  const xids: number[] = [];
  let end = 0;
  const stream = { node: 'n0', systemIdentifier: systemOf('n0'), timeline, segmentBytes: SEGMENT_BYTES };
  for await (const { endLsn, events: some } of readPastEvents(copy, stream, afterLsn)) {
    for (const { xid } of some) xids.push(xid);
    end = Number(endLsn);
  }
  return [xids, end];
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe('past events', () => {
  const copy = new MadeCopy();
  const stream = { node: 'n0', startLsn: lsn(BigInt(BEGIN)), endLsn: lsn(BigInt(END)), records: [], readings: [] };
  const first = events(BEGIN, END, 0);
  writeStream(copy.objects, { ...stream, timeline: 1, events: first });

  it('are those behind a record, from finished segments and the journal', async () => {
    assert.deepEqual(await read(copy, 1, null), [numbers(0, 14), END]);
    for (const [index, event] of first.entries()) {
      assert.deepEqual(await read(copy, 1, event.lsn), [numbers(index + 1, 14), END]);
    }
  });

  it('go over to the next timeline where it left, each once', async () => {
    const fork = lsn((first[6] as TransactionEvent).endLsn + 8n);
    const copied = lsn(BigInt(BEGIN + SEGMENT_BYTES));
    writeStream(copy.objects, {
      ...stream,
      timeline: 2,
      startLsn: copied,
      events: [...first.slice(4, 7), ...events(BEGIN + 2 * SEGMENT_BYTES, END, 100)],
    });
    copy.objects.set(
      historyPath('n0', systemOf('n0'), 2),
      Buffer.from(`1\t${(fork >> 32n).toString(16)}/${(fork & 0xffffffffn).toString(16)}\tno recovery target\n`),
    );
    assert.deepEqual(await read(copy, 2, null), [[...numbers(0, 7), ...numbers(100, 106)], END]);
    assert.deepEqual(await read(copy, 2, (first[5] as TransactionEvent).lsn), [[6, ...numbers(100, 106)], END]);
  });
});
