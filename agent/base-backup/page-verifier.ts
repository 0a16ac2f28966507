import { isNewPage, pageChecksum, pageLsn, storedPageChecksum } from '../../shared/postgres/page-checksum.ts';

/** A page whose checksum failed on every read. */
export interface FailedPage {
  /** Counted from the start of the file. */
  readonly block: number;
  /** As the page says it; nonsense if its header is damaged. */
  readonly lsn: bigint;
}

export interface PageCheck {
  readonly pagesVerified: number;
  readonly failed: readonly FailedPage[];
}

export interface PageRange {
  /** The bytes that were read, as words on a little-endian machine. */
  readonly words: Int32Array;
  /** Bytes of `words` that count; a rest of less than a page is not checked. */
  readonly lengthBytes: number;
  readonly pageBytes: number;
  /** The block of the file that the first page is. */
  readonly firstFileBlock: number;
  /** Blocks of the relation in the files before this one. */
  readonly blocksBefore: number;
}

/**
 * Verifies the pages of a range. A page can be caught in the middle of a write, so one that fails is read again before it counts.
 * @param readAgain reads the page at that byte of the range into its place; false if the file has become shorter
 */
export function verifyPages(range: PageRange, readAgain: (offsetBytes: number, attempt: number) => boolean): PageCheck {
  const pageWords = range.pageBytes / 4;
  const pages = Math.floor(range.lengthBytes / range.pageBytes);
  const failed: FailedPage[] = [];
  let pagesVerified = 0;
  for (let page = 0; page < pages; page++) {
    const firstWord = page * pageWords;
    if (isNewPage(range.words, firstWord)) continue;
    const block = range.firstFileBlock + page;
    pagesVerified += 1;
    if (!isGood(range, firstWord, block) && !becomesGood(range, page, block, readAgain)) {
      failed.push({ block, lsn: pageLsn(range.words, firstWord) });
    }
  }
  return { pagesVerified, failed };
}

const READS_MAX = 6;

function becomesGood(
  range: PageRange,
  page: number,
  block: number,
  readAgain: (offsetBytes: number, attempt: number) => boolean,
): boolean {
  const firstWord = page * (range.pageBytes / 4);
  for (let attempt = 1; attempt < READS_MAX; attempt++) {
    // A page that was cut off meanwhile is cut off again by the WAL that is replayed.
    if (!readAgain(page * range.pageBytes, attempt)) return true;
    if (isNewPage(range.words, firstWord) || isGood(range, firstWord, block)) return true;
  }
  return false;
}

function isGood(range: PageRange, firstWord: number, block: number): boolean {
  const expected = pageChecksum(range.words, firstWord, range.pageBytes / 4, range.blocksBefore + block);
  return expected === storedPageChecksum(range.words, firstWord);
}
