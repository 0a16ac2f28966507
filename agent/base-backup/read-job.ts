import type { FailedPage } from './page-verifier.ts';

/** What goes between the reader pool and its workers. */
export interface ReadWorkerData {
  readonly dataDirectory: string;
  readonly compressionLevel: number;
  readonly pageBytes: number;
  /** Blocks in each full file of a relation. */
  readonly segmentBlocks: number;
}

interface PartRange {
  readonly path: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/**
 * How a part is read. `range`: up to the length listed. `pages`: the same, and its pages are verified. `whole`: a file of no
 * relation, taken as it is now, and not as it was listed. `control`: pg_control, again until its checksum holds.
 */
export type ReadPart = PartRange &
  ({ readonly kind: 'range' | 'whole' | 'control' } | { readonly kind: 'pages'; readonly segment: number });

export interface ReadJob {
  readonly job: number;
  readonly parts: readonly ReadPart[];
}

export interface PartResult {
  /** Less than wished if the file has shrunk; null if it has vanished. */
  readonly lengthBytes: number | null;
  readonly pagesVerified: number;
  readonly failed: readonly FailedPage[];
}

export interface ReadTimes {
  readonly readMs: number;
  readonly hashMs: number;
  readonly compressMs: number;
}

export type ReadReply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly job: number;
      readonly parts: readonly PartResult[];
      /** Null if there was nothing to read. */
      readonly frame: Uint8Array<ArrayBuffer> | null;
      readonly contentBytes: number;
      readonly contentSha256: Uint8Array;
      readonly times: ReadTimes;
    }
  | { readonly kind: 'failed'; readonly job: number; readonly message: string };
