/** What goes between the frame writer and its workers. */
export interface FrameWrite {
  /** Absolute; the file exists. */
  readonly file: string;
  readonly contentOffset: number;
  readonly lengthBytes: number;
  readonly fileOffset: number;
}

export type WriteJob =
  | {
      readonly kind: 'frame';
      readonly job: number;
      /** For messages. */
      readonly name: string;
      readonly frame: Uint8Array<ArrayBuffer>;
      readonly contentBytes: number;
      /** Hexadecimal. */
      readonly contentSha256: string;
      readonly writes: readonly FrameWrite[];
    }
  | { readonly kind: 'sync'; readonly job: number; readonly files: readonly string[] };

export type WriteReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly job: number }
  | { readonly kind: 'failed'; readonly job: number; readonly code: string; readonly message: string };
