import zlib from 'node:zlib';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { checkFrame, sameContent, wrongContentLength } from './zstd-frame.ts';
import { loadWasmZstd } from './zstd-wasm.ts';

/** Node's own zstd, there from 22.15 on; the type definitions are those of the oldest Node that is supported. */
interface NodeZstd {
  zstdCompressSync(content: Uint8Array, options: { params: Record<number, number> }): Buffer;
  zstdDecompressSync(frame: Uint8Array, options: { maxOutputLength: number }): Buffer;
  constants: { ZSTD_c_compressionLevel: number };
}

/**
 * Zstandard, synchronous: it keeps its thread busy, so it belongs into a worker (see ZstdPool) or into code that has a thread of its own.
 * A frame is independent of every other one. Content is at most 1 MiB a frame, levels go from -7 to 6.
 */
export interface Zstd {
  readonly implementation: 'node' | 'zstd-codec';

  /** One frame holding exactly `content`. */
  compress(content: Uint8Array, level: number): Buffer;

  /** The same, written to the start of `target`, which must have room for `frameBytesMax(content)`. Returns the frame's bytes. */
  compressInto(content: Uint8Array, level: number, target: Uint8Array): number;

  /**
   * The content of exactly one whole frame.
   * @throws TidemarkError TM-REPO-003 if the frame is cut off, damaged, followed by other bytes, or holds another number of bytes
   */
  decompress(frame: Uint8Array, contentBytes: number): Buffer;

  /** The same, written to `target`, whose length is the content's. */
  decompressInto(frame: Uint8Array, target: Uint8Array): void;

  /** Whether `frame` is one whole frame that holds exactly `content`. */
  holds(frame: Uint8Array, content: Uint8Array): boolean;
}

/** The fastest implementation that this Node has. Each call loads one of its own, with 16 MiB of address space for zstd-codec. */
export async function loadZstd(): Promise<Zstd> {
  const node = zlib as unknown as Partial<NodeZstd>;
  return node.zstdCompressSync === undefined ? loadWasmZstd() : nodeZstd(node as NodeZstd);
}

function nodeZstd(node: NodeZstd): Zstd {
  const compress = (content: Uint8Array, level: number): Buffer =>
    node.zstdCompressSync(content, { params: { [node.constants.ZSTD_c_compressionLevel]: level } });

  const decompress = (frame: Uint8Array, contentBytes: number): Buffer => {
    checkFrame(frame, contentBytes);
    let content: Buffer;
    try {
      content = node.zstdDecompressSync(frame, { maxOutputLength: Math.max(contentBytes, 1) });
    } catch (error) {
      throw new TidemarkError('TM-REPO-003', `a zstd frame of ${frame.byteLength} bytes is damaged`, { cause: error });
    }
    if (content.byteLength !== contentBytes) throw wrongContentLength(content.byteLength, contentBytes);
    return content;
  };

  return {
    implementation: 'node',
    compress,
    compressInto: (content, level, target) => {
      const frame = compress(content, level);
      target.set(frame);
      return frame.byteLength;
    },
    decompress,
    decompressInto: (frame, target) => target.set(decompress(frame, target.byteLength)),
    holds: (frame, content) => sameContent(content, () => decompress(frame, content.byteLength)),
  };
}
