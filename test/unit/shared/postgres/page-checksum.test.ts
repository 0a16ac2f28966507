import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { isNewPage, pageChecksum, pageLsn, storedPageChecksum } from '../../../../shared/postgres/page-checksum.ts';

const PAGE_BYTES = 8192;

/** The definition, word by word in 64-bit arithmetic. */
function slowChecksum(page: Buffer, blockNumber: number): number {
  const copy = Buffer.from(page);
  copy.writeUInt16LE(0, 8);
  const prime = 16777619n;
  const mix = (sum: bigint, word: bigint) => {
    const t = sum ^ word;
    return ((t * prime) & 0xffffffffn) ^ (t >> 17n);
  };
  // prettier-ignore
  const sums = [
    0x5b1f36e9n, 0xb8525960n, 0x02ab50aan, 0x1de66d2an, 0x79ff467an, 0x9bb9f8a3n, 0x217e7cd2n, 0x83e13d2cn,
    0xf8d4474fn, 0xe39eb970n, 0x42c6ae16n, 0x993216fan, 0x7b093b5dn, 0x98daff3cn, 0xf718902an, 0x0b1c9cdbn,
    0xe58f764bn, 0x187636bcn, 0x5d7b3bb1n, 0xe73de7den, 0x92bec979n, 0xcca6c0b2n, 0x304a0979n, 0x85aa43d4n,
    0x783125bbn, 0x6ca8eaa2n, 0xe407eac6n, 0x4b5cfc3en, 0x9fbf8c76n, 0x15ca20ben, 0xf2ca9fd3n, 0x959bd756n,
  ];
  for (let at = 0; at < copy.length; at += 4) {
    const index = (at / 4) % 32;
    sums[index] = mix(sums[index]!, BigInt(copy.readUInt32LE(at)));
  }
  const folded = sums.reduce((all, sum) => all ^ mix(mix(sum, 0n), 0n), 0n) ^ BigInt(blockNumber);
  return Number(folded % 65535n) + 1;
}

function wordsOf(page: Buffer): Int32Array {
  const words = new Int32Array(page.length / 4);
  Buffer.from(words.buffer).set(page);
  return words;
}

describe('page checksum', () => {
  it('equals the definition on arbitrary pages, and leaves the page as it was', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: PAGE_BYTES, maxLength: PAGE_BYTES }),
        fc.integer({ min: 0, max: 0xfffffffe }),
        (bytes, blockNumber) => {
          const page = Buffer.from(bytes);
          const words = wordsOf(page);
          assert.equal(pageChecksum(words, 0, PAGE_BYTES / 4, blockNumber), slowChecksum(page, blockNumber));
          assert.deepEqual(words, wordsOf(page));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('finds a page inside of a larger buffer and sees every flipped bit', () => {
    const page = Buffer.alloc(PAGE_BYTES, 7);
    const words = wordsOf(Buffer.concat([Buffer.alloc(PAGE_BYTES), page]));
    const right = slowChecksum(page, 9);
    assert.equal(pageChecksum(words, 2048, 2048, 9), right);
    for (const word of [0, 31, 32, 1000, 2047]) {
      words[2048 + word]! ^= 1;
      assert.notEqual(pageChecksum(words, 2048, 2048, 9), right, `word ${word}`);
      words[2048 + word]! ^= 1;
    }
  });

  it('reads the page header', () => {
    const page = Buffer.alloc(PAGE_BYTES);
    assert.equal(isNewPage(wordsOf(page), 0), true);
    page.writeUInt32LE(0x16, 0);
    page.writeUInt32LE(0xb374d848, 4);
    page.writeUInt16LE(0xfedc, 8);
    page.writeUInt16LE(8000, 14);
    const words = wordsOf(page);
    assert.equal(isNewPage(words, 0), false);
    assert.equal(pageLsn(words, 0), 0x16b374d848n);
    assert.equal(storedPageChecksum(words, 0), 0xfedc);
  });
});
