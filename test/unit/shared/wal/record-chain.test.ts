import assert from 'node:assert/strict';
import { crc32c } from '../../../../shared/postgres/crc32c.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { commit, HEAP, heapRecord, parserOf } from '../../../support/built-wal.ts';
import { mainData, WalBuilder } from '../../../support/wal-builder.ts';

describe('the chain of records', () => {
  describe('drops a record that was given up in a crash', () => {
    it('when the next record says so', () => {
      const builder = new WalBuilder();
      const before = commit(builder, 1);
      const start = builder.position;
      const overwrite = builder.brokenRecord({ manager: HEAP, info: 0, body: mainData(Buffer.alloc(50_000)) }, 2);
      assert.equal(overwrite.previousLsn, before.lsn);
      const after = commit(builder, 2);
      const bytes = builder.bytes();
      assert.deepEqual(parserOf(builder).push(bytes), [before, after]);
      const stopped = parserOf(builder);
      stopped.push(bytes.subarray(0, Number(overwrite.lsn - builder.startLsn) - 100));
      assert.equal(stopped.nextRecordLsn, start);
    });

    it('but not when the next record names another one, or says nothing', () => {
      const content = { manager: HEAP, info: 0, body: mainData(Buffer.alloc(50_000)) };
      const wrong = new WalBuilder();
      commit(wrong, 1);
      wrong.brokenRecord(content, 2, wrong.startLsn);
      assert.throws(() => parserOf(wrong).push(wrong.bytes()), /should say that the one at .* was given up/);

      // A whole page in place of the one that should go on, such as a lost write leaves.
      const silent = new WalBuilder();
      commit(silent, 1);
      const overwrite = silent.brokenRecord(content, 2);
      const bytes = silent.bytes().subarray(0, Number(overwrite.lsn - silent.startLsn));
      const other = Buffer.alloc(24 + 2 + 18);
      other.writeUInt32LE(other.length, 0);
      other.writeBigUInt64LE(silent.records[0]?.lsn ?? 0n, 8);
      other.writeUInt8(HEAP, 17);
      mainData(Buffer.alloc(18)).copy(other, 24);
      other.writeUInt32LE(crc32c(other.subarray(0, 20), crc32c(other.subarray(24))), 20);
      assert.throws(() => parserOf(silent).push(Buffer.concat([bytes, other])), /should say that the one at/);
    });

    it('but not when a page is damaged so that it looks like that', () => {
      const builder = new WalBuilder();
      heapRecord(builder, 20_000);
      commit(builder, 2);
      const bytes = builder.bytes();
      bytes.writeUInt16LE(8, 8192 + 2);
      assert.throws(() => parserOf(builder).push(bytes), { code: 'TM-WAL-002' });
    });
  });

  it('refuses a predecessor that is not the record before, although the checksum is right', () => {
    const builder = new WalBuilder();
    commit(builder, 1);
    const other = new WalBuilder();
    heapRecord(other, 10);
    commit(other, 2);
    commit(other, 3);
    const bytes = builder.bytes();
    const stolen = other.bytes().subarray(Number((other.records[2]?.lsn ?? 0n) - other.startLsn));
    assert.throws(
      () => parserOf(builder).push(Buffer.concat([bytes, stolen])),
      /that follows the one at .* expected was/,
    );
  });

  it('refuses a predecessor that stands 4 GiB away from the record before', () => {
    for (const distance of [-1n, 1n]) {
      const builder = new WalBuilder();
      const first = commit(builder, 1);
      const other = new WalBuilder({ startLsn: lsn(builder.startLsn + (distance << 32n)) });
      commit(other, 1);
      const { lsn: at } = commit(other, 2);
      const stolen = other.bytes().subarray(Number(at - other.startLsn));
      assert.equal(Buffer.from(stolen).readUInt32LE(8), Number(first.lsn & 0xffff_ffffn));
      const parser = parserOf(builder);
      assert.deepEqual(parser.push(builder.bytes()), [first]);
      assert.throws(() => parser.push(stolen), { code: 'TM-WAL-002', message: /that follows the one at/ });
    }
  });
});
