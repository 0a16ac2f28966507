import type { SegmentToIndex } from './build-segment-index.ts';

/** What goes between IndexThread and its worker. */
export interface IndexJob {
  readonly job: number;
  readonly segment: SegmentToIndex;
}

export type IndexReply =
  | { readonly kind: 'done'; readonly job: number; readonly index: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'failed'; readonly job: number; readonly code: string; readonly message: string };
