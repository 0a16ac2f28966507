import { lz4DecompressBlock } from './lz4-block.ts';
import { pglzDecompress } from './pglz.ts';

/** Pages of tables and indexes; a server that was built with another size is not supported. */
export const HEAP_PAGE_BYTES = 8192;

/**
 * Gives the content of one zstd frame.
 * @throws Error if the frame is damaged or holds another number of bytes
 */
export type ZstdDecompress = (frame: Uint8Array, contentBytes: number) => Uint8Array;

/** A page's image as a record carries it. */
export interface PageImage {
  readonly bytes: Uint8Array;
  /** `bimg_info`. */
  readonly info: number;
  /** Where zeros were left out, and how many. */
  readonly holeOffset: number;
  readonly holeBytes: number;
  /** Of the server that wrote it: before 15 there was one method and other bits. */
  readonly majorVersion: number;
}

const COMPRESSED_BEFORE_15 = 0x02;
const PGLZ = 0x04;
const LZ4 = 0x08;
const ZSTD = 0x10;

/**
 * Puts an image back into a page. Source: RestoreBlockImage in src/backend/access/transam/xlogreader.c.
 * @param page of {@link HEAP_PAGE_BYTES}; its content is the page's only if true is returned
 * @param zstd left out: images that are compressed so cannot be read
 */
export function restorePage(image: PageImage, page: Buffer, zstd: ZstdDecompress | undefined): boolean {
  const { bytes, holeOffset, holeBytes } = image;
  if (holeOffset + holeBytes > HEAP_PAGE_BYTES) return false;
  const content = page.subarray(0, HEAP_PAGE_BYTES - holeBytes);
  if (!decompress(image, bytes, content, zstd)) return false;
  if (holeBytes > 0) {
    page.copyWithin(holeOffset + holeBytes, holeOffset, HEAP_PAGE_BYTES - holeBytes);
    page.fill(0, holeOffset, holeOffset + holeBytes);
  }
  return true;
}

function decompress(
  { info, majorVersion }: PageImage,
  bytes: Uint8Array,
  content: Buffer,
  zstd: ZstdDecompress | undefined,
): boolean {
  const method = majorVersion < 15 ? ((info & COMPRESSED_BEFORE_15) === 0 ? 0 : PGLZ) : info & (PGLZ | LZ4 | ZSTD);
  switch (method) {
    case 0:
      if (bytes.length !== content.length) return false;
      content.set(bytes);
      return true;
    case PGLZ:
      return pglzDecompress(bytes, content);
    case LZ4:
      return lz4DecompressBlock(bytes, content);
    case ZSTD:
      if (zstd === undefined) return false;
      try {
        content.set(zstd(bytes, content.length));
        return true;
      } catch {
        return false;
      }
    default:
      return false;
  }
}
