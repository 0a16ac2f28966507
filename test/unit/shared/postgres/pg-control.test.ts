import assert from 'node:assert/strict';
import { crc32c } from '../../../../shared/postgres/crc32c.ts';
import { parseControlFile } from '../../../../shared/postgres/pg-control.ts';

function controlFile(version: number, crcOffset: number): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(7340000000000000001n, 0);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(202209061, 12);
  bytes.writeUInt32LE(6, 16);
  bytes.writeBigUInt64LE(0x2000060n, 32);
  bytes.writeBigUInt64LE(0x2000028n, 40);
  bytes.writeUInt32LE(3, 48);
  bytes.writeUInt32LE(100, 180);
  bytes.writeUInt32LE(20, 192);
  bytes.writeUInt32LE(8192, 216);
  bytes.writeUInt32LE(131072, 220);
  bytes.writeUInt32LE(16 * 1024 * 1024, 228);
  bytes.writeUInt32LE(1, 252);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, crcOffset)), crcOffset);
  return bytes;
}

describe('pg_control', () => {
  for (const [version, crcOffset] of [
    [1300, 288],
    [1700, 288],
    [1800, 292],
  ] as const) {
    it(`reads version ${version}`, () => {
      const control = parseControlFile(controlFile(version, crcOffset));
      assert.equal(control.systemIdentifier, '7340000000000000001');
      assert.equal(control.state, 'in production');
      assert.equal(control.checkpointLsn, 0x2000060n);
      assert.equal(control.checkpointTimeline, 3);
      assert.equal(control.maxPreparedTransactions, 20);
      assert.equal(control.walSegmentBytes, 16 * 1024 * 1024);
      assert.equal(control.dataChecksums, true);
    });

    it(`sees every changed byte of version ${version}`, () => {
      for (const at of [0, 40, 200, crcOffset - 1, crcOffset]) {
        const bytes = controlFile(version, crcOffset);
        bytes[at]! ^= 1;
        assert.throws(() => parseControlFile(bytes), { code: 'TM-REPO-003' }, `byte ${at}`);
      }
    });
  }

  it('refuses a version that it does not know, and a short file', () => {
    assert.throws(() => parseControlFile(controlFile(1201, 288)), { code: 'TM-PG-003' });
    assert.throws(() => parseControlFile(Buffer.alloc(100)), { code: 'TM-REPO-003' });
  });
});
