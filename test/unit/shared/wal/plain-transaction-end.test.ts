import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { readPlainEnd } from '../../../../shared/wal/plain-transaction-end.ts';
import { readTransactionRecord } from '../../../../shared/wal/transaction-record.ts';
import { WalPositions } from '../../../../shared/wal/wal-positions.ts';
import { WholeRecord } from '../../../../shared/wal/whole-record.ts';
import { mainData } from '../../../support/wal-builder.ts';

const START_LSN = lsn(0x16_ffff_f000n);
const PREVIOUS_LSN = lsn(0x16_ffff_ef80n);
const COMMIT = 0x00;
const ABORT = 0x20;
const HAS_XINFO = 0x80;
const HAS_DATABASE = 1;
/** Of xinfo: what says how a standby replays the record (locks, answers, files), without a part of its own. */
const WITHOUT_PART = [6, 29, 30, 31];

interface Content {
  readonly info: number;
  readonly xid: number;
  readonly body: Buffer;
}

function wholeRecord({ info, xid, body }: Content): WholeRecord {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, 24 + body.length, true);
  header.setUint32(4, xid, true);
  header.setBigUint64(8, PREVIOUS_LSN, true);
  header.setUint8(16, info);
  header.setUint8(17, 1);
  const record = new WholeRecord(new WalPositions(1, START_LSN));
  const start = Number(START_LSN & 0xffff_ffffn) + 0xff0;
  record.set(start, start + 24 + body.length, 24 + body.length, header, 0);
  // Other bytes lie before and behind it, as in a page.
  record.setBody(Buffer.concat([Buffer.alloc(5, 0xff), body, Buffer.alloc(30, 0x11)]), 5, 5 + body.length);
  return record;
}

/** What the long way makes of it. */
function readLong({ info, xid, body }: Content): object | null {
  const read = readTransactionRecord({ info, xid, body, majorVersion: 18 });
  if (read === null) return null;
  assert.equal(read.droppedRelations.length, 0);
  const startLsn = lsn(START_LSN + 0xff0n);
  const endLsn = lsn(startLsn + 24n + BigInt(body.length));
  return { ...read.record, lsn: startLsn, endLsn, previousLsn: PREVIOUS_LSN };
}

function plainBody(time: bigint, xinfo: number | null, database: readonly number[] = []): Buffer {
  const data = Buffer.alloc(8 + (xinfo === null ? 0 : 4) + 4 * database.length);
  data.writeBigInt64LE(time);
  if (xinfo !== null) data.writeUInt32LE(xinfo, 8);
  database.forEach((oid, index) => data.writeUInt32LE(oid, 12 + 4 * index));
  return mainData(data);
}

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const time = fc.oneof(
  fc.bigInt({ min: -(1n << 62n), max: (1n << 62n) - 1n }),
  // Around where the lower half runs over.
  fc
    .tuple(fc.bigInt({ min: -300_000n, max: 300_000n }), fc.bigInt({ min: -20n, max: 20n }))
    .map(([high, low]) => (high << 32n) - 946_684_800_000_000n + low),
);
const plain: fc.Arbitrary<Content> = fc
  .record({
    kind: fc.constantFrom(COMMIT, ABORT),
    lowBits: fc.nat(3),
    xid: uint32,
    time,
    flags: fc.option(fc.subarray(WITHOUT_PART)),
    database: fc.option(fc.tuple(uint32, uint32)),
  })
  .map(({ kind, lowBits, xid, time: at, flags, database }) => {
    if (flags === null) return { info: kind | lowBits, xid, body: plainBody(at, null) };
    const bits = flags.reduce((all, bit) => (all | (1 << bit)) >>> 0, database === null ? 0 : HAS_DATABASE);
    return { info: kind | lowBits | HAS_XINFO, xid, body: plainBody(at, bits, database ?? []) };
  });

describe('the short way for plain ends of transactions', () => {
  it('reads them as the long way does', () => {
    fc.assert(
      fc.property(plain, (content) => {
        const read = readPlainEnd(wholeRecord(content));
        assert.notEqual(read, null);
        assert.deepEqual(read, readLong(content));
      }),
      { numRuns: 300 },
    );
  });

  it('leaves everything else to the long way, or says the same', () => {
    const change = fc.record({
      info: uint32.map((value) => value & 0xff),
      at: fc.nat(30),
      byte: fc.constantFrom(0, 1, 2, 4, 8, 10, 12, 20, 0x7f, 0x80, 253, 254, 255),
      length: fc.integer({ min: -12, max: 20 }),
      does: fc.constantFrom('info', 'byte', 'length'),
    });
    let taken = 0;
    fc.assert(
      fc.property(plain, fc.array(change, { minLength: 1, maxLength: 3 }), (content, changes) => {
        let { info } = content;
        let body = Buffer.from(content.body);
        for (const { does, ...to } of changes) {
          if (does === 'info') info = to.info;
          else if (does === 'byte' && to.at < body.length) body[to.at] = to.byte;
          else if (does === 'length')
            body = Buffer.concat([body, Buffer.alloc(20)], Math.max(0, body.length + to.length));
        }
        const changed = { info, xid: content.xid, body };
        const read = readPlainEnd(wholeRecord(changed));
        if (read === null) return;
        taken++;
        assert.deepEqual(read, readLong(changed));
      }),
      { numRuns: 1000 },
    );
    assert.ok(taken > 20, `only ${taken} were read the short way`);
  });

  it('leaves what has parts that follow to the long way', () => {
    for (const bit of [1, 2, 3, 4, 5, 7, 8]) {
      assert.equal(readPlainEnd(wholeRecord({ info: HAS_XINFO, xid: 7, body: plainBody(5n, 1 << bit) })), null);
      const body = plainBody(5n, HAS_DATABASE | (1 << bit), [5, 1663]);
      assert.equal(readPlainEnd(wholeRecord({ info: HAS_XINFO | ABORT, xid: 7, body })), null);
    }
  });

  it('leaves a time that does not fit to the long way', () => {
    const content = { info: COMMIT, xid: 7, body: plainBody((1n << 63n) - 1n, null) };
    assert.equal(readPlainEnd(wholeRecord(content)), null);
    assert.deepEqual(readLong(content), { ...readLong(content), timeUs: (1n << 63n) - 1n + 946_684_800_000_000n });
  });
});
