import { TidemarkError } from '../errors/tidemark-error.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_BYTES_MAX = 128 * 1024;

/** What a zstd frame's own bytes say about it (RFC 8878, section 3.1). */
export interface FrameExtent {
  /** Bytes from the magic number to the last block or checksum. */
  readonly frameBytes: number;
  /** The content's size if the header gives it, else null. */
  readonly contentBytes: number | null;
}

/** Bytes that `contentBytes` of content can take at most as a frame; zstd's own ZSTD_compressBound, rounded up. */
export function frameBytesMax(contentBytes: number): number {
  return contentBytes + (contentBytes >>> 8) + 1024;
}

/**
 * Finds the end of the data frame at the start of `bytes` by walking its block headers, without decompressing. Some decoders take a
 * truncated frame for a short one; this does not.
 * @throws TidemarkError TM-REPO-003 if it is no data frame, or ends before its last block
 */
export function readFrameExtent(bytes: Uint8Array): FrameExtent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (end: number): void => {
    if (end > bytes.byteLength) {
      throw new TidemarkError('TM-REPO-003', `a zstd frame is cut off after ${bytes.byteLength} bytes`);
    }
  };
  need(5);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC) {
    const kind = (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC ? 'a skippable zstd frame' : 'not a zstd frame';
    throw new TidemarkError('TM-REPO-003', `expected a zstd data frame, found ${kind} (0x${magic.toString(16)})`);
  }
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >>> 6;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let at = 5 + (singleSegment ? 0 : 1) + dictionaryIdBytes;
  const contentSizeBytes = contentSizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << contentSizeFlag;
  need(at + contentSizeBytes);
  let contentBytes: number | null = null;
  if (contentSizeBytes === 1) contentBytes = view.getUint8(at);
  else if (contentSizeBytes === 2) contentBytes = view.getUint16(at, true) + 256;
  else if (contentSizeBytes === 4) contentBytes = view.getUint32(at, true);
  else if (contentSizeBytes === 8) contentBytes = Number(view.getBigUint64(at, true));
  at += contentSizeBytes;
  for (let last = false; !last;) {
    need(at + 3);
    const header = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    last = (header & 1) !== 0;
    const type = (header >>> 1) & 3;
    const blockBytes = header >>> 3;
    if (type === 3 || blockBytes > BLOCK_BYTES_MAX) {
      throw new TidemarkError('TM-REPO-003', `a zstd frame has a damaged block header at byte ${at}`);
    }
    at += 3 + (type === 1 ? 1 : blockBytes);
  }
  if ((descriptor & 4) !== 0) at += 4;
  need(at);
  return { frameBytes: at, contentBytes };
}

/**
 * Checks that `frame` is exactly one whole data frame that can hold `contentBytes`, and nothing after it.
 * @throws TidemarkError TM-REPO-003
 */
export function checkFrame(frame: Uint8Array, contentBytes: number): void {
  const extent = readFrameExtent(frame);
  if (extent.frameBytes !== frame.byteLength) {
    throw new TidemarkError(
      'TM-REPO-003',
      `a zstd frame of ${extent.frameBytes} bytes is followed by ${frame.byteLength - extent.frameBytes} others`,
    );
  }
  if (extent.contentBytes !== null && extent.contentBytes !== contentBytes) {
    throw wrongContentLength(extent.contentBytes, contentBytes);
  }
}

export function wrongContentLength(found: number, expected: number): TidemarkError {
  return new TidemarkError('TM-REPO-003', `a zstd frame holds ${found} bytes where ${expected} were expected`);
}

/** Whether what `decompress` gives is `content`; a frame that cannot be decompressed does not hold it. */
export function sameContent(content: Uint8Array, decompress: () => Uint8Array): boolean {
  try {
    return Buffer.compare(decompress(), content) === 0;
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'TM-REPO-003') return false;
    throw error;
  }
}
