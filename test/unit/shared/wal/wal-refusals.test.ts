import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { WalParserOptions } from '../../../../shared/wal/wal-parser.ts';
import { commit, heapRecord, parserOf } from '../../../support/built-wal.ts';
import { WalBuilder } from '../../../support/wal-builder.ts';

const MIB = 1024 * 1024;

describe('WalParser refuses', () => {
  function sample(): WalBuilder {
    const builder = new WalBuilder({ startLsn: lsn(0x2_0010_0000n) });
    for (let xid = 1; xid < 400; xid++) {
      heapRecord(builder, (xid * 37) % 300);
      commit(builder, xid);
    }
    heapRecord(builder, 30_000);
    heapRecord(builder, 30_000);
    return builder;
  }

  it('every changed byte of a record, and never takes a changed page header for another state', () => {
    const builder = sample();
    const bytes = builder.bytes();
    const expected = parserOf(builder).push(bytes);
    const checked = bytes.length - 3 * 8192;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: checked - 1 }), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ difference;
        const position = builder.startLsn + BigInt(at);
        const inRecord =
          at % 8192 >= 24 && builder.records.some(({ lsn, endLsn }) => lsn <= position && position < endLsn);
        const parser = parserOf(builder);
        try {
          assert.deepEqual(parser.push(changed), expected);
          assert.ok(!inRecord, `a change of byte ${at} was not seen`);
        } catch (error) {
          const { code, message } = error as { code: string; message: string };
          assert.ok(['TM-WAL-002', 'TM-WAL-005'].includes(code), message);
          assert.throws(() => parser.push(Buffer.of(0)), { code });
        }
      }),
      { numRuns: 60 },
    );
  });

  const refusals: readonly {
    readonly what: string;
    readonly change?: (bytes: Buffer) => void;
    readonly options?: Partial<WalParserOptions>;
    readonly code?: string;
    readonly message: RegExp;
  }[] = [
    {
      what: 'another system',
      options: { systemIdentifier: '7' },
      message: /of system 7710939264837747254, expected was 7/,
    },
    {
      what: 'another segment size',
      options: { segmentBytes: 16 * MIB, startLsn: lsn(0x2_0000_0000n) },
      message: /a page of 2\/100000|segments of 1048576/,
    },
    {
      what: 'another page address',
      change: (bytes) => bytes.writeUInt32LE(0x20_0000, 8192 + 8),
      message: /not valid at 2\/102000: a page of 2\/200000/,
    },
    {
      what: 'an earlier start of the same page',
      options: { startLsn: lsn(0x1_0010_0000n) },
      message: /a page of 2\/100000/,
    },
    {
      what: 'a later timeline',
      change: (bytes) => bytes.writeUInt32LE(2, 8192 + 4),
      message: /a page of timeline 2/,
    },
    { what: 'timeline 0', change: (bytes) => bytes.writeUInt32LE(0, 8192 + 4), message: /a page of timeline 0/ },
    {
      what: 'pages of another size',
      change: (bytes) => bytes.writeUInt32LE(16_384, 36),
      code: 'TM-WAL-005',
      message: /pages of 16384 bytes/,
    },
    {
      what: 'an unknown version',
      change: (bytes) => bytes.writeUInt16LE(0xd098, 0),
      code: 'TM-WAL-005',
      message: /magic number D098/,
    },
    {
      what: 'a byte-swapped version',
      change: (bytes) => bytes.writeUInt16BE(0xd118, 0),
      code: 'TM-WAL-005',
      message: /magic number 18D1/,
    },
    {
      what: 'a change of version',
      change: (bytes) => bytes.writeUInt16LE(0xd116, 8192),
      message: /PostgreSQL 17 in WAL of PostgreSQL 18/,
    },
    { what: 'unknown flags', change: (bytes) => bytes.writeUInt16LE(0x11, 8192 + 2), message: /flags 11/ },
    {
      what: 'a first page in the middle',
      change: (bytes) => bytes.writeUInt16LE(3, 8192 + 2),
      message: /first page within/,
    },
    {
      what: 'zeros where a page should begin',
      change: (bytes) => bytes.fill(0, 8192, 16_384),
      message: /not valid at 2\/102000: zeros/,
    },
    {
      what: 'zeros where a record should begin',
      change: (bytes) => bytes.fill(0, 40, 8192),
      message: /not valid at 2\/100028: a record of 0 bytes/,
    },
    {
      what: 'a record that is too short',
      change: (bytes) => bytes.writeUInt32LE(23, 40),
      message: /a record of 23 bytes/,
    },
    {
      what: 'a record that is too long',
      change: (bytes) => bytes.writeUInt32LE(0x7fff_ffff, 40),
      message: /a record of 2147483647 bytes/,
    },
    {
      what: 'an unknown resource manager',
      change: (bytes) => bytes.writeUInt8(60, 40 + 17),
      message: /resource manager 60/,
    },
    {
      what: 'a wrong checksum',
      change: (bytes) => bytes.writeUInt32LE(1, 40 + 20),
      message: /not valid at 2\/100028: .*checksum/,
    },
  ];
  for (const { what, change, options, code, message } of refusals) {
    it(what, () => {
      const builder = sample();
      const bytes = builder.bytes();
      change?.(bytes);
      assert.throws(() => parserOf(builder, options).push(bytes), { code: code ?? 'TM-WAL-002', message });
    });
  }

  it('a start where neither a page nor a record can begin', () => {
    const builder = new WalBuilder();
    for (const [offset, atRecord] of [
      [40, false],
      [41, true],
      [32, true],
      [8192 + 16, true],
    ] as const) {
      const startLsn = lsn(builder.startLsn + BigInt(offset));
      assert.throws(() => parserOf(builder, { startLsn, atRecord }), { code: 'TM-WAL-001' });
    }
  });
});
