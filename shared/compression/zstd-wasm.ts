import type { Binding } from 'zstd-codec/lib/zstd-codec-binding-wasm.js';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { checkFrame, frameBytesMax, sameContent, wrongContentLength } from './zstd-frame.ts';
import type { Zstd } from './zstd.ts';

/** The heap has 16 MiB for good; the codec's tables and both buffers must fit beside each other. */
const CONTENT_BYTES_MAX = 1024 * 1024;
const LEVEL_MAX = 6;

const PROCESS_EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Loads the WebAssembly binding. Its runtime hooks itself into the process's uncaught errors, and would turn a rejected promise anywhere
 * into an abort; those hooks are taken out again.
 */
async function loadBinding(): Promise<Binding> {
  const { default: load } = await import('zstd-codec/lib/zstd-codec-binding-wasm.js');
  const before = PROCESS_EVENTS.map((event) => new Set(process.listeners(event as 'uncaughtException')));
  return new Promise((resolve, reject) => {
    // The loaded module has a `then` of its own: resolving with it would call that for ever.
    const binding: Partial<Binding> & { then?: unknown } = {
      onRuntimeInitialized: () => {
        delete binding.then;
        resolve(binding as Binding);
      },
      onAbort: (reason) =>
        reject(new TidemarkError('TM-INTERNAL-001', `zstd-codec cannot be loaded: ${String(reason)}`)),
    };
    load(binding);
    PROCESS_EVENTS.forEach((event, index) => {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (before[index]?.has(listener) === false) process.removeListener(event, listener);
      }
    });
  });
}

/**
 * zstd-codec's WebAssembly without its wrapper. The wrapper makes two vectors for each call, fills the larger one with zeros and
 * copies the result twice; here two vectors live as long as the binding, and bytes are copied once in and once out.
 */
export async function loadWasmZstd(): Promise<Zstd> {
  const binding = await loadBinding();
  const codec = new binding.ZstdCodec();
  const plain = new binding.VectorU8();
  const packed = new binding.VectorU8();

  const viewOf = (vector: InstanceType<Binding['VectorU8']>, bytes: number): Uint8Array => {
    vector.resize(bytes, 0);
    return binding.toTypedArrayView(vector);
  };

  const compressView = (content: Uint8Array, level: number): Uint8Array => {
    if (content.byteLength > CONTENT_BYTES_MAX || level > LEVEL_MAX) {
      throw new TidemarkError(
        'TM-INTERNAL-001',
        `zstd-codec takes at most ${CONTENT_BYTES_MAX} bytes at level ${LEVEL_MAX}, not ${content.byteLength} at level ${level}`,
      );
    }
    viewOf(plain, content.byteLength).set(content);
    const target = viewOf(packed, frameBytesMax(content.byteLength));
    const written = codec.compress(packed, plain, level);
    if (written <= 0) {
      throw new TidemarkError(
        'TM-INTERNAL-001',
        `zstd-codec could not compress ${content.byteLength} bytes: ${written}`,
      );
    }
    return target.subarray(0, written);
  };

  const decompressView = (frame: Uint8Array, contentBytes: number): Uint8Array => {
    if (contentBytes > CONTENT_BYTES_MAX) {
      throw new TidemarkError(
        'TM-REPO-003',
        `a zstd frame of ${contentBytes} bytes is larger than ${CONTENT_BYTES_MAX}`,
      );
    }
    checkFrame(frame, contentBytes);
    viewOf(packed, frame.byteLength).set(frame);
    const target = viewOf(plain, Math.max(contentBytes, 1));
    const written = codec.decompress(plain, packed);
    if (written < 0) throw new TidemarkError('TM-REPO-003', `a zstd frame of ${frame.byteLength} bytes is damaged`);
    if (written !== contentBytes) throw wrongContentLength(written, contentBytes);
    return target.subarray(0, written);
  };

  return {
    implementation: 'zstd-codec',
    compress: (content, level) => Buffer.from(compressView(content, level)),
    compressInto: (content, level, target) => {
      const frame = compressView(content, level);
      target.set(frame);
      return frame.byteLength;
    },
    decompress: (frame, contentBytes) => Buffer.from(decompressView(frame, contentBytes)),
    decompressInto: (frame, target) => target.set(decompressView(frame, target.byteLength)),
    holds: (frame, content) => sameContent(content, () => decompressView(frame, content.byteLength)),
  };
}
