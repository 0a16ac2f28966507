import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ChangedBlockCollector } from '../../../../shared/wal/changed-block-collector.ts';
import { NO_LIMIT, type ChangedBlocks } from '../../../../shared/wal/changed-blocks.ts';
import { WalParser } from '../../../../shared/wal/wal-parser.ts';
import { appendTransaction } from '../../../support/transaction-records.ts';
import { mainData, WalBuilder } from '../../../support/wal-builder.ts';

const STORAGE = 2;
const DATABASE = 4;
const HEAP = 10;

interface Reference {
  readonly relation: number;
  readonly same: boolean;
  readonly fork: number;
  readonly block: number;
  readonly data: number;
  readonly image: 'none' | 'plain' | 'hole' | 'compressed';
}

const references: fc.Arbitrary<readonly Reference[]> = fc
  .array(
    fc.record({
      relation: fc.constantFrom(1, 2, 3),
      same: fc.boolean(),
      fork: fc.constantFrom(0, 1, 2, 3),
      block: fc.oneof(fc.nat(20), fc.integer({ min: 0x7fff_fff0, max: NO_LIMIT - 1 })),
      data: fc.nat(300),
      image: fc.constantFrom('none', 'plain', 'hole', 'compressed'),
    }),
    { maxLength: 33 },
  )
  .map((list) => list.map((reference, index) => ({ ...reference, same: reference.same && index > 0 })));

function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
}

/** A record's body, as src/include/access/xlogrecord.h says. */
function bodyOf(list: readonly Reference[], major: number): Buffer {
  const heads: Buffer[] = [];
  const payloads: Buffer[] = [];
  list.forEach((reference, id) => {
    const { same, fork, relation, block, data, image } = reference;
    const head = Buffer.alloc(4);
    head.writeUInt8(id, 0);
    head.writeUInt8(fork | (image === 'none' ? 0 : 0x10) | (data > 0 ? 0x20 : 0) | (same ? 0x80 : 0), 1);
    head.writeUInt16LE(data, 2);
    heads.push(head);
    if (image !== 'none') {
      const imageHead = Buffer.alloc(image === 'compressed' ? 7 : 5);
      imageHead.writeUInt16LE(100, 0);
      const flags = { plain: 0, hole: 1, compressed: major < 15 ? 3 : 5 }[image];
      imageHead.writeUInt8(flags, 4);
      heads.push(imageHead);
      payloads.push(Buffer.alloc(100, 0xaa));
    }
    if (!same) heads.push(uint32(1663, 5, relation));
    heads.push(uint32(block));
    payloads.push(Buffer.alloc(data, 0xbb));
  });
  const main = mainData(Buffer.from('main'));
  return Buffer.concat([...heads, main.subarray(0, 2), ...payloads, main.subarray(2)]);
}

function gathered(builder: WalBuilder, lengths: readonly number[] = [1 << 20]): ChangedBlocks {
  const changedBlocks = new ChangedBlockCollector();
  const { timeline, segmentBytes, systemIdentifier, startLsn } = builder;
  const parser = new WalParser({ timeline, segmentBytes, systemIdentifier, startLsn, atRecord: false, changedBlocks });
  const bytes = builder.bytes();
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    parser.push(bytes.subarray(at, at + length));
    at += length;
  }
  return changedBlocks.take();
}

/** One line a file: relation, fork, ranges, limit. */
function lines({ databases, forks }: ChangedBlocks): string[] {
  return [
    ...databases.map(({ tablespaceOid, databaseOid }) => `${tablespaceOid}/${databaseOid}`),
    ...forks.map(({ relationNumber, fork, ranges, limitBlock }) =>
      [relationNumber, fork, ...ranges, ...(limitBlock === NO_LIMIT ? [] : [`limit ${limitBlock}`])].join(' '),
    ),
  ];
}

describe('gathering blocks', () => {
  const majors = fc.constantFrom(13, 14, 15, 16, 17, 18);
  const cuts = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 4 });

  it('finds every block that a record refers to, of every version and in any cutting', () => {
    fc.assert(
      fc.property(majors, fc.array(references, { maxLength: 6 }), cuts, (major, records, lengths) => {
        const builder = new WalBuilder({ major });
        const expected = new ChangedBlockCollector();
        for (const list of records) {
          let relation = 0;
          for (const reference of list) {
            if (!reference.same) ({ relation } = reference);
            expected.block(1663, 5, relation, reference.fork, reference.block);
          }
          builder.record({ manager: HEAP, info: 0, body: bodyOf(list, major) });
        }
        assert.deepEqual(gathered(builder, lengths), expected.take());
      }),
      { numRuns: 60 },
    );
  });

  it('finds what is made, shortened and dropped', () => {
    for (const major of [13, 15, 18]) {
      const builder = new WalBuilder({ major });
      const record = (manager: number, info: number, ...values: readonly number[]) =>
        builder.record({ manager, info, body: mainData(uint32(...values)) });
      record(STORAGE, 0x10, 1663, 5, 100, 0);
      record(STORAGE, 0x10, 1663, 5, 100, 1); // a free space map
      record(STORAGE, 0x10, 1663, 5, 101, 3);
      record(STORAGE, 0x20, 40_000, 1663, 5, 200, 7);
      record(STORAGE, 0x20, 0, 1663, 5, 201, 2);
      record(STORAGE, 0x20, 3, 1663, 5, 202, 5);
      record(DATABASE, 0x00, 77, 1663, 1, 1663);
      if (major >= 15) record(DATABASE, 0x10, 78, 1663);
      record(DATABASE, major >= 15 ? 0x20 : 0x10, 79, 2, 1663, 1700);
      const transaction = { timeUs: 0n, databaseOid: 0, subxids: [7], droppedStatistics: 1, invalidations: 2 };
      appendTransaction(builder, { ...transaction, kind: 'commit', xid: 1, relations: 1 });
      assert.deepEqual(
        lines(gathered(builder, [7])),
        [
          '1663/77',
          ...(major >= 15 ? ['1663/78'] : []),
          '1663/79',
          '1700/79',
          '100 0 limit 0',
          '101 3 limit 0',
          '200 0 limit 40000',
          '200 2 limit 1',
          '201 2 limit 0',
          '202 0 limit 3',
          ...[0, 2, 3].map((fork) => `1515870810 ${fork} limit 0`),
        ],
        String(major),
      );
    }
  });

  it('finds a database that is dropped in more tablespaces than the fragments of a record would need', () => {
    const builder = new WalBuilder();
    const tablespaces = Array.from({ length: 3000 }, (_, index) => 20_000 + index);
    builder.record({ manager: DATABASE, info: 0x20, body: mainData(uint32(79, tablespaces.length, ...tablespaces)) });
    const expected = tablespaces.map((tablespaceOid) => `${tablespaceOid}/79`);
    assert.deepEqual(lines(gathered(builder)), expected);
    assert.deepEqual(lines(gathered(builder, [1000])), expected);
  });

  it('finds what each kind of a transaction end drops, and nothing in a PREPARE', () => {
    for (const kind of ['commit', 'abort', 'commit-prepared', 'rollback-prepared', 'prepare'] as const) {
      const builder = new WalBuilder();
      appendTransaction(builder, {
        kind,
        xid: 5,
        timeUs: 0n,
        databaseOid: 5,
        subxids: [],
        relations: 2,
        ...(kind === 'prepare' ? { gid: 'g' } : {}),
      });
      assert.equal(lines(gathered(builder)).length, kind === 'prepare' ? 0 : 3, kind);
    }
  });

  it('refuses records that it does not understand', () => {
    const [block] = [{ relation: 1, same: false, fork: 0, block: 1, data: 3, image: 'none' as const }];
    const body = bodyOf([block], 18);
    const damaged: readonly [string, number, number, Buffer][] = [
      ['an unknown fragment', HEAP, 0, Buffer.concat([Buffer.of(200), body])],
      ['fragments that end early', HEAP, 0, body.subarray(0, 10)],
      ['a byte too many', HEAP, 0, Buffer.concat([body, Buffer.of(0)])],
      ['an unknown fork', HEAP, 0, Buffer.concat([Buffer.of(0, 4, 0, 0), uint32(1663, 5, 1, 1)])],
      ['a relation that is not named', HEAP, 0, Buffer.concat([Buffer.of(0, 0x80, 0, 0), uint32(1)])],
      ['an unknown fork that is made', STORAGE, 0x10, mainData(uint32(1663, 5, 1, 4))],
      ['an unknown record of storage', STORAGE, 0x30, mainData(uint32(1663, 5, 1, 0))],
      ['an unknown record of databases', DATABASE, 0x30, mainData(uint32(1, 1, 1, 1))],
      ['fewer tablespaces than it says', DATABASE, 0x20, mainData(uint32(1, 3, 1, 1))],
    ];
    for (const [what, manager, info, bytes] of damaged) {
      const builder = new WalBuilder();
      builder.record({ manager, info, body: bytes });
      assert.throws(() => gathered(builder), { code: 'TM-WAL-002' }, what);
    }
  });
});
