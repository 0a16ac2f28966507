import type { Buffer } from 'node:buffer';
import { encodeSegmentIndex } from '../../shared/wal-index/segment-index.ts';
import { buildSegmentIndex, type SegmentToIndex } from './build-segment-index.ts';

/** Makes the index of a finished segment. */
export interface SegmentIndexer {
  /**
   * The encoded index of a segment's object, every byte of which was compared with its checksum.
   * @throws TidemarkError TM-REPO-003 if the object is damaged or not a whole segment, TM-REPO-009 if it cannot be read
   */
  index(segment: SegmentToIndex): Promise<Buffer>;
}

/** Does it in the caller's own thread. */
export const localIndexer: SegmentIndexer = {
  index: async (segment) => encodeSegmentIndex(buildSegmentIndex(segment)),
};
