import assert from 'node:assert/strict';
import { verifyPages } from '../../../../agent/base-backup/page-verifier.ts';
import { pageChecksum } from '../../../../shared/postgres/page-checksum.ts';

const PAGE_BYTES = 8192;
const FIRST_BLOCK = 7;
const BLOCKS_BEFORE = 131072;

/** Pages with right checksums; the last one is new. */
function pages(count: number): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES * count);
  for (let page = 0; page < count - 1; page++) {
    const at = page * PAGE_BYTES;
    bytes.fill(page + 1, at, at + PAGE_BYTES);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    bytes.writeUInt16LE(pageChecksum(words, at / 4, PAGE_BYTES / 4, BLOCKS_BEFORE + FIRST_BLOCK + page), at + 8);
  }
  return bytes;
}

function verify(bytes: Buffer, readAgain: (offsetBytes: number, attempt: number) => boolean) {
  return verifyPages(
    {
      words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
      lengthBytes: bytes.length,
      pageBytes: PAGE_BYTES,
      firstFileBlock: FIRST_BLOCK,
      blocksBefore: BLOCKS_BEFORE,
    },
    readAgain,
  );
}

describe('page verification', () => {
  it('accepts good pages and does not count new ones', () => {
    const check = verify(pages(4), () => assert.fail('nothing to read again'));
    assert.deepEqual(check, { pagesVerified: 3, failed: [] });
  });

  it('reads a torn page again, and takes what it finds', () => {
    const good = pages(4);
    const torn = Buffer.from(good);
    torn.fill(0xee, PAGE_BYTES + 4096, 2 * PAGE_BYTES);
    const check = verify(torn, (offset, attempt) => {
      if (attempt === 3) good.copy(torn, offset, offset, offset + PAGE_BYTES);
      return true;
    });
    assert.deepEqual(check, { pagesVerified: 3, failed: [] });
    assert.deepEqual(torn, good);
  });

  it('reports a page that stays bad with its block in the file and its LSN', () => {
    const bytes = pages(4);
    bytes.fill(0xee, PAGE_BYTES + 4096, 2 * PAGE_BYTES);
    let reads = 0;
    const check = verify(bytes, () => {
      reads += 1;
      return true;
    });
    assert.deepEqual(check.failed, [{ block: FIRST_BLOCK + 1, lsn: 0x0202020202020202n }]);
    assert(reads >= 3);
  });

  it('does not report a page that was cut off meanwhile', () => {
    const bytes = pages(4);
    bytes.fill(0xee, PAGE_BYTES + 4096, 2 * PAGE_BYTES);
    assert.deepEqual(verify(bytes, () => false).failed, []);
  });
});
