import assert from 'node:assert/strict';
import { compressionLevel } from '../../../agent/change-sets/compression-level.ts';
import { lsn } from '../../../shared/postgres/lsn.ts';

const MIB = 1024n * 1024n;
const serverEndLsn = lsn(1000n * MIB);
const at = (behind: bigint) => lsn(serverEndLsn - behind);

describe('compressionLevel', () => {
  const levels = { usual: 1, catchUp: -5 };

  it('is the usual one near the end of the WAL', () => {
    assert.equal(compressionLevel(levels, at(0n), serverEndLsn), 1);
    assert.equal(compressionLevel(levels, at(64n * MIB), serverEndLsn), 1);
  });

  it('is the faster one far behind', () => {
    assert.equal(compressionLevel(levels, at(64n * MIB + 1n), serverEndLsn), -5);
  });

  it('is never higher far behind than near the end', () => {
    assert.equal(compressionLevel({ usual: -7, catchUp: -5 }, at(100n * MIB), serverEndLsn), -7);
  });

  it('is the usual one where the server has not said how far it is', () => {
    assert.equal(compressionLevel(levels, serverEndLsn, at(10n * MIB)), 1);
  });
});
