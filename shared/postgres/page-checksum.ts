/**
 * PostgreSQL's data page checksum (`src/include/storage/checksum_impl.h`): 32 interleaved FNV-1a variants over the page as
 * little-endian 32-bit words, folded together, mixed with the block number and reduced to 1…65535.
 */

const SUMS = 32;
const FNV_PRIME = 16777619;
/** Word that holds `pd_checksum` in its lower half; it counts as zero. */
const CHECKSUM_WORD = 2;

/** The initial state of each sum. */
// prettier-ignore
const BASE_OFFSETS = Int32Array.of(
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
  0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
  0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
  0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
);

/**
 * The checksum that the page should carry at block `blockNumber` of its relation (counted over all of its segment files).
 * @param words the file's bytes as 32-bit words, on a little-endian machine
 * @param firstWord where the page starts in `words`
 * @param pageWords the page's length in words; a multiple of 32
 */
export function pageChecksum(words: Int32Array, firstWord: number, pageWords: number, blockNumber: number): number {
  const end = firstWord + pageWords;
  const saved = words[firstWord + CHECKSUM_WORD]!;
  words[firstWord + CHECKSUM_WORD] = saved & 0xffff0000;
  let folded = 0;
  // Eight sums at a time stay in registers; all 32 would not.
  for (let sum = 0; sum < SUMS; sum += 8) {
    let a = BASE_OFFSETS[sum]!;
    let b = BASE_OFFSETS[sum + 1]!;
    let c = BASE_OFFSETS[sum + 2]!;
    let d = BASE_OFFSETS[sum + 3]!;
    let e = BASE_OFFSETS[sum + 4]!;
    let f = BASE_OFFSETS[sum + 5]!;
    let g = BASE_OFFSETS[sum + 6]!;
    let h = BASE_OFFSETS[sum + 7]!;
    for (let at = firstWord + sum; at < end; at += SUMS) {
      a ^= words[at]!;
      b ^= words[at + 1]!;
      c ^= words[at + 2]!;
      d ^= words[at + 3]!;
      e ^= words[at + 4]!;
      f ^= words[at + 5]!;
      g ^= words[at + 6]!;
      h ^= words[at + 7]!;
      a = Math.imul(a, FNV_PRIME) ^ (a >>> 17);
      b = Math.imul(b, FNV_PRIME) ^ (b >>> 17);
      c = Math.imul(c, FNV_PRIME) ^ (c >>> 17);
      d = Math.imul(d, FNV_PRIME) ^ (d >>> 17);
      e = Math.imul(e, FNV_PRIME) ^ (e >>> 17);
      f = Math.imul(f, FNV_PRIME) ^ (f >>> 17);
      g = Math.imul(g, FNV_PRIME) ^ (g >>> 17);
      h = Math.imul(h, FNV_PRIME) ^ (h >>> 17);
    }
    folded ^= finish(a) ^ finish(b) ^ finish(c) ^ finish(d) ^ finish(e) ^ finish(f) ^ finish(g) ^ finish(h);
  }
  words[firstWord + CHECKSUM_WORD] = saved;
  return (((folded ^ blockNumber) >>> 0) % 65535) + 1;
}

/** Two rounds of zeroes, so that the last word mixes as well as the first. */
function finish(sum: number): number {
  const once = Math.imul(sum, FNV_PRIME) ^ (sum >>> 17);
  return Math.imul(once, FNV_PRIME) ^ (once >>> 17);
}

/** The checksum that the page carries. */
export function storedPageChecksum(words: Int32Array, firstWord: number): number {
  return words[firstWord + CHECKSUM_WORD]! & 0xffff;
}

/** Whether the page was never initialised (`PageIsNew`): it has no checksum. */
export function isNewPage(words: Int32Array, firstWord: number): boolean {
  return words[firstWord + 3]! >>> 16 === 0;
}

/** Position of the last WAL record that changed the page (`pd_lsn`). */
export function pageLsn(words: Int32Array, firstWord: number): bigint {
  return (BigInt(words[firstWord]! >>> 0) << 32n) | BigInt(words[firstWord + 1]! >>> 0);
}
