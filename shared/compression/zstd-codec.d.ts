declare module 'zstd-codec/lib/zstd-codec-binding-wasm.js' {
  interface VectorU8 {
    resize(length: number, fill: number): void;
    size(): number;
    delete(): void;
  }

  interface Codec {
    compressBound(contentBytes: number): number;
    /** Bytes written, or a negative error. */
    compress(target: VectorU8, source: VectorU8, level: number): number;
    decompress(target: VectorU8, source: VectorU8): number;
  }

  export interface Binding {
    onRuntimeInitialized: () => void;
    onAbort?: (reason: unknown) => void;
    VectorU8: new () => VectorU8;
    ZstdCodec: new () => Codec;
    /** A view of the vector's bytes in the WebAssembly heap; valid until the vector grows. */
    toTypedArrayView(vector: VectorU8): Uint8Array;
  }

  const load: (module: Partial<Binding>) => void;
  export default load;
}
