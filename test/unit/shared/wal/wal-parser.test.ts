import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn, NO_LSN, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import type { WalRecord } from '../../../../shared/wal/wal-record.ts';
import { commit, HEAP, heapRecord, parserOf, pieces } from '../../../support/built-wal.ts';
import { appendTransaction, type TransactionContent } from '../../../support/transaction-records.ts';
import { mainData, WalBuilder } from '../../../support/wal-builder.ts';

const MIB = 1024 * 1024;

/** What a builder can be told to write next. */
type Step =
  | { readonly does: 'heap'; readonly bytes: number }
  | { readonly does: 'switch' }
  | { readonly does: 'break'; readonly pages: number }
  | { readonly does: 'transaction'; readonly content: TransactionContent };

const uint32 = fc.integer({ min: 1, max: 0xffff_ffff });
const optionalCount = fc.option(fc.nat(3), { nil: undefined });

const transaction: fc.Arbitrary<TransactionContent> = fc
  .record({
    kind: fc.constantFrom('commit', 'abort', 'prepare', 'commit-prepared', 'rollback-prepared'),
    xid: uint32,
    timeUs: fc.bigInt({ min: 0n, max: 4_000_000_000_000_000n }),
    databaseOid: fc.constantFrom(0, 16384),
    subxids: fc.array(uint32, { maxLength: 4 }),
    gidText: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !text.includes('\0')),
    withGid: fc.boolean(),
    relations: optionalCount,
    droppedStatistics: optionalCount,
    invalidations: optionalCount,
    origin: fc.boolean(),
  })
  .map(({ gidText, withGid, relations, droppedStatistics, invalidations, ...content }) => ({
    ...content,
    ...(relations === undefined ? {} : { relations }),
    ...(droppedStatistics === undefined ? {} : { droppedStatistics }),
    ...(invalidations === undefined ? {} : { invalidations }),
    ...(content.kind === 'prepare' || (withGid && content.kind.endsWith('prepared')) ? { gid: gidText } : {}),
  }));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('transaction' as const), content: transaction }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant('heap' as const), bytes: fc.nat(9000) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('heap' as const), bytes: fc.nat(40_000) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('break' as const), pages: fc.nat(2) }) },
);
const steps = fc
  .tuple(fc.array(step, { minLength: 1, maxLength: 25 }), fc.boolean(), fc.array(step, { maxLength: 8 }))
  .map(([before, switches, after]): Step[] => [
    ...before,
    ...(switches ? [{ does: 'switch' as const }] : []),
    ...after,
  ]);

function build(builder: WalBuilder, plan: readonly Step[]): TransactionEvent[] {
  const events: TransactionEvent[] = [];
  for (const next of plan) {
    switch (next.does) {
      case 'heap':
        heapRecord(builder, next.bytes);
        break;
      case 'switch':
        builder.switchSegment();
        break;
      case 'break':
        builder.brokenRecord({ manager: HEAP, info: 0, body: mainData(Buffer.alloc(100_000)) }, next.pages);
        break;
      case 'transaction':
        events.push(appendTransaction(builder, next.content));
        break;
    }
  }
  return events;
}

describe('WalParser', () => {
  const majors = fc.constantFrom(13, 14, 15, 16, 17, 18);
  const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 30_000 })), {
    minLength: 1,
    maxLength: 6,
  });

  it('gives the events that were written, of every version and in any cutting', () => {
    fc.assert(
      fc.property(majors, steps, cuts, (major, plan, lengths) => {
        const builder = new WalBuilder({ major });
        const expected = build(builder, plan);
        const parser = parserOf(builder);
        const events: TransactionEvent[] = [];
        for (const piece of pieces(builder.bytes(), lengths)) events.push(...parser.push(piece));
        assert.deepEqual(events, expected);
        assert.equal(parser.positionLsn, builder.position);
        assert.equal(parser.majorVersion, major);
      }),
      { numRuns: 30 },
    );
  });

  it('knows after every piece where to go on, and can go on there', () => {
    fc.assert(
      fc.property(steps, cuts, (plan, lengths) => {
        const builder = new WalBuilder();
        const expected = build(builder, plan);
        const bytes = builder.bytes();
        const parser = parserOf(builder);
        for (const piece of pieces(bytes, lengths)) {
          parser.push(piece);
          const at = parser.positionLsn;
          const last = builder.records.findLast((record) => record.endLsn <= at);
          assert.equal(parser.lastRecordLsn, last?.lsn ?? NO_LSN);
          const next = builder.records.find((record) => record.endLsn > at);
          const given = builder.broken.find((start) => start > (last?.lsn ?? 0n) && start < (next?.lsn ?? 0n));
          const found = parser.nextRecordLsn;
          if (at < builder.startLsn + 40n) {
            assert.equal(found, builder.startLsn);
          } else if (next !== undefined) {
            assert.ok(found === next.lsn || found === given, `${found} after ${at}`);
          }
        }
        for (const cut of [
          0,
          30,
          41,
          50,
          8192,
          8200,
          Math.floor(bytes.length / 3),
          Math.floor(bytes.length / 2),
          bytes.length,
        ]) {
          const first = parserOf(builder);
          const events = first.push(bytes.subarray(0, cut));
          const resumed = first.nextRecordLsn;
          const second = parserOf(builder, { startLsn: resumed, atRecord: true, majorVersion: builder.major });
          const rest = second.push(bytes.subarray(Number(resumed - builder.startLsn)));
          assert.deepEqual([...events, ...rest], expected);
          assert.equal(second.positionLsn, resumed > builder.position ? resumed : builder.position);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('describes every record', () => {
    const builder = new WalBuilder();
    heapRecord(builder, 20);
    heapRecord(builder, 20_000);
    commit(builder, 5);
    builder.switchSegment();
    heapRecord(builder, 0);
    const records: WalRecord[] = [];
    parserOf(builder, {
      onRecord: (record) => {
        records.push(record);
        record.fragments();
      },
    }).push(builder.bytes());
    assert.deepEqual(
      records.map(({ lsn, endLsn, previousLsn }) => ({ lsn, endLsn, previousLsn })),
      builder.records,
    );
    assert.deepEqual(
      records.map(({ resourceManager, info, xid, totalLength }) => [resourceManager, info, xid, totalLength]),
      [
        [HEAP, 0, 9, 46],
        [HEAP, 0, 9, 20_029],
        [1, 0, 5, 34],
        [0, 0x40, 0, 24],
        [HEAP, 0, 9, 26],
      ],
    );
  });

  it('skips the rest of a record from before the first page, however long', () => {
    for (const rest of [1, 8, 500, 8152, 8153, 16_000, 3 * 8192, MIB + 100]) {
      const builder = new WalBuilder();
      builder.foreignRest(rest);
      const position = builder.position;
      const event = commit(builder, 7);
      const bytes = builder.bytes();
      for (const lengths of [[bytes.length], [1000, 1, 7]]) {
        const parser = parserOf(builder);
        const events: TransactionEvent[] = [];
        for (const piece of pieces(bytes, lengths)) {
          if (parser.positionLsn < position - 8n) assert.equal(parser.nextRecordLsn, builder.startLsn);
          events.push(...parser.push(piece));
        }
        assert.deepEqual(events, [event], `${rest}`);
      }
    }
  });

  it('refuses a first page that passes over whole records as the rest of one from before', () => {
    const builder = new WalBuilder();
    builder.foreignRest(160);
    const [first, second] = [commit(builder, 7), commit(builder, 8)];
    const bytes = builder.bytes();
    assert.deepEqual(parserOf(builder).push(bytes), [first, second]);
    bytes.writeUInt32LE(160 + Number(second.lsn - first.lsn), 16);
    assert.throws(() => parserOf(builder).push(bytes), { code: 'TM-WAL-002' });
  });

  it('goes on over a boundary of segments within a record, and within its header', () => {
    for (const left of [8, 16, 24, 32, 1000]) {
      const builder = new WalBuilder();
      const room = () => MIB - left - Number(builder.position - builder.startLsn);
      heapRecord(builder, MIB - 128 * 24 - 3000);
      while (room() >= 64) builder.record({ manager: HEAP, info: 0, body: mainData(Buffer.alloc(6)) });
      while (room() > 0) {
        const bytes = room() > 40 ? 24 : room();
        builder.record({
          manager: HEAP,
          info: 0,
          body: bytes === 24 ? Buffer.alloc(0) : mainData(Buffer.alloc(bytes - 26)),
        });
      }
      assert.equal(room(), 0);
      const event = appendTransaction(builder, {
        kind: 'prepare',
        xid: 8,
        gid: 'across',
        timeUs: 1n,
        databaseOid: 5,
        subxids: [],
        invalidations: 200,
      });
      assert.ok(event.endLsn > builder.startLsn + BigInt(MIB));
      assert.deepEqual(parserOf(builder).push(builder.bytes()), [event]);
    }
  });

  describe('at a timeline switch', () => {
    it('takes pages of an earlier timeline before those of its own, and none after', () => {
      const builder = new WalBuilder({ timeline: 1 });
      const events = [commit(builder, 1)];
      heapRecord(builder, 9000);
      builder.timeline = 3;
      heapRecord(builder, 9000);
      events.push(commit(builder, 2));
      assert.deepEqual(parserOf(builder).push(builder.bytes()), events);
      builder.timeline = 2;
      heapRecord(builder, 9000);
      assert.throws(() => parserOf(builder, { timeline: 3 }).push(builder.bytes()), /a page of timeline 2/);
    });
  });

  describe('where the WAL may end in zeros', () => {
    it('stops there, and says so', () => {
      for (const fill of [10, 8152 - 34 - 16, 8100, 20_000]) {
        const builder = new WalBuilder();
        const event = commit(builder, 1);
        heapRecord(builder, fill);
        const next = builder.position;
        const bytes = Buffer.concat([builder.bytes(), Buffer.alloc(MIB - Number(next - builder.startLsn))]);
        for (const lengths of [[bytes.length], [5000], [13, 8191]]) {
          const parser = parserOf(builder, { zerosMayFollow: true });
          const events: TransactionEvent[] = [];
          for (const piece of pieces(bytes, lengths)) events.push(...parser.push(piece));
          assert.deepEqual(events, [event]);
          assert.equal(parser.ended, true);
          assert.equal(parser.nextRecordLsn >= next && parser.nextRecordLsn <= next + 24n, true);
          assert.equal(parser.positionLsn, builder.startLsn + BigInt(MIB));
        }
        assert.throws(() => parserOf(builder).push(bytes), { code: 'TM-WAL-002' });
      }
    });

    it('does not stop at anything else', () => {
      const builder = new WalBuilder();
      commit(builder, 1);
      const tail = Buffer.alloc(100);
      tail[50] = 1;
      const bytes = Buffer.concat([builder.bytes(), Buffer.alloc(4), Buffer.of(1), tail]);
      assert.throws(() => parserOf(builder, { zerosMayFollow: true }).push(bytes), { code: 'TM-WAL-002' });
    });
  });

  it('holds nothing of a long record that it does not need', () => {
    const builder = new WalBuilder();
    builder.record({ manager: HEAP, info: 0, body: mainData(Buffer.alloc(6 * MIB)) });
    const event = commit(builder, 3);
    const bytes = builder.bytes();
    const parser = parserOf(builder);
    const before = process.memoryUsage().arrayBuffers;
    const events: TransactionEvent[] = [];
    for (const piece of pieces(bytes, [64 * 1024])) events.push(...parser.push(piece));
    assert.ok(process.memoryUsage().arrayBuffers - before < MIB);
    assert.deepEqual(events, [event]);
  });

  it('works at positions beyond 2^53', () => {
    const startLsn: Lsn = lsn(0xfff0_1234_0010_0000n);
    const builder = new WalBuilder({ startLsn });
    const events = [commit(builder, 1)];
    heapRecord(builder, 2 * MIB);
    events.push(commit(builder, 2));
    const parser = parserOf(builder);
    assert.deepEqual(parser.push(builder.bytes()), events);
    assert.equal(parser.nextRecordLsn, builder.position);
  });

  it('goes over a boundary of 4 GiB', () => {
    const builder = new WalBuilder({ startLsn: lsn(0x1_fff0_0000n) });
    heapRecord(builder, MIB - 9000);
    const events = [];
    for (let xid = 1; xid < 400; xid++) events.push(commit(builder, xid));
    assert.ok(builder.position > 0x2_0000_0000n);
    assert.deepEqual(parserOf(builder).push(builder.bytes()), events);
  });
});
