import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CRC32C_INITIAL, crc32c, finishCrc32c, updateCrc32c } from '../../../../shared/postgres/crc32c.ts';

/** Bit by bit, as the polynomial says. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78;
  }
  return ~crc >>> 0;
}

describe('CRC-32C', () => {
  it('gives the check value of its definition', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });

  it('equals the slow way, for any bytes at any place, in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(9), fc.nat(200), (content, shift, cut) => {
        const bytes = new Uint8Array(shift + content.length).fill(0xaa);
        bytes.set(content, shift);
        assert.equal(crc32c(bytes.subarray(shift)), slowCrc32c(content));
        const [one, two] = [content.subarray(0, cut), content.subarray(cut)];
        assert.equal(crc32c(two, crc32c(one)), slowCrc32c(content));
        const view = new DataView(bytes.buffer);
        const middle = shift + Math.min(cut, content.length);
        const first = updateCrc32c(CRC32C_INITIAL, view, shift, middle);
        assert.equal(finishCrc32c(updateCrc32c(first, view, middle, bytes.length)), slowCrc32c(content));
      }),
    );
  });
});
