/** What goes between ZstdPool and its workers. The bytes themselves lie in a slot: memory that both sides see. */

export interface ZstdWorkerData {
  readonly slots: readonly SharedArrayBuffer[];
  readonly contentBytesMax: number;
}

export interface ZstdJob {
  readonly kind: 'compress' | 'decompress';
  readonly slot: number;
  /** zstd's level; 0 for decompress. */
  readonly level: number;
  /** Where the content begins in its part of the slot; 0 for decompress. */
  readonly inputOffsetBytes: number;
  /** Of the input: content for compress, frame for decompress. */
  readonly inputBytes: number;
  /** Of the output that is expected: for decompress the content's length, else 0. */
  readonly outputBytes: number;
}

export type ZstdReply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly slot: number;
      readonly outputBytes: number;
      /** Empty for decompress. */
      readonly contentSha256: Uint8Array;
      /** 0 for decompress. */
      readonly frameCrc32: number;
    }
  | {
      readonly kind: 'failed';
      readonly slot: number;
      readonly code: string;
      readonly message: string;
    };
