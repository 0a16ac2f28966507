import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { loadZstd } from '../../../../shared/compression/zstd.ts';
import { DecisionRowReader } from '../../../../shared/wal/decision-row-reader.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { WalParser, type WalParserOptions } from '../../../../shared/wal/wal-parser.ts';
import { appendDecisionRow, type DecisionInsert } from '../../../support/decision-records.ts';
import { mainData, WalBuilder } from '../../../support/wal-builder.ts';

const row: DecisionInsert = { xid: 700, gid: 'citus_0_3973_1_0', outerXid: 0n };

/** Literals only, in the form that each method has for them. */
const asPglz = (content: Buffer) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(content.length / 8) }, (_, index) =>
      Buffer.concat([Buffer.of(0), content.subarray(8 * index, 8 * index + 8)]),
    ),
  );
const asLz4 = (content: Buffer) => {
  const head = [0xf0];
  let rest = content.length - 15;
  for (; rest >= 255; rest -= 255) head.push(255);
  return Buffer.concat([Buffer.from([...head, rest]), content]);
};

function parse(builder: WalBuilder, more: Partial<WalParserOptions> = {}, pieceBytes = Infinity): TransactionEvent[] {
  const { timeline, segmentBytes, systemIdentifier, startLsn } = builder;
  const parser = new WalParser({ timeline, segmentBytes, systemIdentifier, startLsn, atRecord: false, ...more });
  const bytes = builder.bytes();
  const events: TransactionEvent[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    events.push(...parser.push(bytes.subarray(at, at + pieceBytes)));
  return events;
}

function found(builder: WalBuilder, more?: Partial<WalParserOptions>, pieceBytes?: number): string[] {
  return parse(builder, more, pieceBytes).map(
    ({ kind, gid = '', xid, databaseOid }) => `${kind} ${gid} ${xid} ${databaseOid}`,
  );
}

function written(insert: DecisionInsert, major = 18, more: Partial<WalParserOptions> = {}): string[] {
  const builder = new WalBuilder({ major });
  appendDecisionRow(builder, insert);
  return found(builder, more);
}

describe('rows that decide over branches', () => {
  it('are found by their content, of every version of Citus', () => {
    const expected = ['decision-row citus_0_3973_1_0 700 5'];
    assert.deepEqual(written(row), expected);
    assert.deepEqual(written({ xid: 700, gid: row.gid }), expected, 'before 13.1');
    assert.deepEqual(written({ ...row, outerXid: null }), expected);
    assert.deepEqual(written({ ...row, databaseOid: 16_389, gid: 'citus_12_3_4_56' }), [
      'decision-row citus_12_3_4_56 700 16389',
    ]);
    assert.deepEqual(written({ ...row, topXid: 699 }), ['decision-row citus_0_3973_1_0 699 5'], 'of a subtransaction');
    assert.deepEqual(
      written({ ...row, outerXid: (3n << 32n) | 650n }),
      ['decision-row citus_0_3973_1_0 650 5'],
      'decided by another transaction',
    );
  });

  it('are found in page images of every kind, whatever the cutting', async () => {
    const zstd = await loadZstd();
    const options = { zstd: (frame: Uint8Array, length: number) => zstd.decompress(frame, length) };
    const images: readonly (readonly [number, number, (content: Buffer) => Buffer])[] = [
      [13, 0, (content) => content],
      [13, 2, asPglz],
      [14, 2, asPglz],
      [15, 0, (content) => content],
      [15, 4, asPglz],
      [18, 8, asLz4],
      [18, 16, (content) => zstd.compress(content, 3)],
    ];
    for (const [major, info, compress] of images) {
      const builder = new WalBuilder({ major });
      appendDecisionRow(builder, { ...row, image: (content) => ({ info, bytes: compress(content) }) });
      for (const pieceBytes of [Infinity, 8192, 13]) {
        assert.deepEqual(
          found(builder, options, pieceBytes),
          ['decision-row citus_0_3973_1_0 700 5'],
          `${major}, ${info}, pieces of ${pieceBytes}`,
        );
      }
    }
  });

  it('are nothing else', () => {
    const others: readonly DecisionInsert[] = [
      { ...row, gid: 'citus_0_3973_1' },
      { ...row, gid: 'citus_like' },
      { ...row, gid: 'transfer 7' },
      { ...row, gid: 'citus_0_3973_1_0 ' },
    ];
    for (const other of others) {
      assert.deepEqual(written(other), [], other.gid);
      assert.deepEqual(written({ ...other, image: (bytes) => ({ info: 0, bytes }) }), [], other.gid);
    }
    const foreign = (content: Buffer) => {
      // Another transaction's row lies there.
      content.writeUInt32LE(701, 36);
      return { info: 0, bytes: content };
    };
    assert.deepEqual(written({ ...row, image: foreign }), []);
  });

  it('are looked for in an image once of a relation that has others, until one is made anew', () => {
    let restored = 0;
    const zstd = (_: Uint8Array, length: number) => {
      restored++;
      return Buffer.alloc(length);
    };
    const builder = new WalBuilder();
    const other: DecisionInsert = { ...row, gid: 'x', image: () => ({ info: 16, bytes: Buffer.alloc(10) }) };
    for (let count = 0; count < 5; count++) appendDecisionRow(builder, other);
    parse(builder, { zstd });
    assert.equal(restored, 1);
    for (let count = 0; count < 5; count++) appendDecisionRow(builder, { ...other, relationNumber: 17_000 + count });
    parse(builder, { zstd });
    assert.equal(restored, 1 + 6);
    // A file is made: its number may have been another relation's.
    builder.record({ manager: 2, info: 0x10, body: mainData(Buffer.alloc(16)) });
    appendDecisionRow(builder, other);
    restored = 0;
    parse(builder, { zstd });
    assert.equal(restored, 6 + 1);
  });

  it('never make the parser fail, whatever the bytes of an insert are', () => {
    const reader = new DecisionRowReader();
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // What begins well.
      fc
        .tuple(fc.constantFrom(0x20, 0x10, 0x30, 0x50), fc.uint8Array({ maxLength: 200 }))
        .map(([flags, rest]) => Uint8Array.of(0, flags, ...rest)),
      fc.tuple(fc.nat(400), fc.nat(255)).map(([at, value]) => {
        const builder = new WalBuilder();
        appendDecisionRow(builder, { ...row, image: (content) => ({ info: 0, bytes: content }) });
        const body = builder.bytes().subarray(40 + 24);
        body[at % body.length] = value;
        return body;
      }),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(13, 15, 18), (body, majorVersion) => {
        reader.read({ xid: 700, bytes: Buffer.from(body), bodyStart: 0, bodyEnd: body.length }, majorVersion);
      }),
      { numRuns: 3000 },
    );
  });

  it('are forgotten where a server starts: that is told too', () => {
    const builder = new WalBuilder();
    builder.record({ manager: 0, info: 0x00, body: mainData(Buffer.alloc(88)) });
    builder.record({ manager: 0, info: 0x10, body: mainData(Buffer.alloc(88)) });
    builder.record({ manager: 0, info: 0x90, body: mainData(Buffer.alloc(16)) });
    assert.deepEqual(
      parse(builder).map(({ kind }) => kind),
      ['restart', 'restart'],
    );
  });
});
