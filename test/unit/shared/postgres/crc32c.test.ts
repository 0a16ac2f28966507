import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { crc32c } from '../../../../shared/postgres/crc32c.ts';

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  }
  return ~crc >>> 0;
}

describe('CRC-32C', () => {
  it('gives the known value', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32c(Buffer.alloc(0)), 0);
  });

  it('equals the definition, in one piece and in two', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        assert.equal(crc32c(bytes), bitByBit(bytes));
        assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), bitByBit(bytes));
      }),
    );
  });
});
