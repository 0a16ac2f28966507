import { FRAME_CONTENT_BYTES_MAX } from '../../shared/wal/change-set.ts';
import type { ListedFile } from './file-list.ts';

/** A range of one file that goes into a frame. */
export interface PlannedPart {
  /** Index into the list of files. */
  readonly file: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** What one worker reads at a time: the content of one frame. */
export type FramePlan = readonly PlannedPart[];

/**
 * Files that fit into a frame are bundled only up to half of one, so that there is room for what is appended to them between
 * the listing and the reading.
 */
const BUNDLE_BYTES_MAX = FRAME_CONTENT_BYTES_MAX / 2;
const BUNDLE_FILES_MAX = 256;

/** Whether the file shares its frame with others. */
export function isBundled(file: Pick<ListedFile, 'sizeBytes'>): boolean {
  return file.sizeBytes <= BUNDLE_BYTES_MAX;
}

/** Cuts the files into frames: each large file into frames of its own, small ones bundled in the order given. */
export function* planFrames(files: readonly ListedFile[]): Generator<FramePlan> {
  let bundle: PlannedPart[] = [];
  let bundleBytes = 0;
  for (const [file, { sizeBytes }] of files.entries()) {
    if (!isBundled({ sizeBytes })) {
      for (let offsetBytes = 0; offsetBytes < sizeBytes; offsetBytes += FRAME_CONTENT_BYTES_MAX) {
        const lengthBytes = Math.min(FRAME_CONTENT_BYTES_MAX, sizeBytes - offsetBytes);
        yield [{ file, offsetBytes, lengthBytes }];
      }
      continue;
    }
    if (bundle.length === BUNDLE_FILES_MAX || bundleBytes + sizeBytes > BUNDLE_BYTES_MAX) {
      yield bundle;
      bundle = [];
      bundleBytes = 0;
    }
    bundle.push({ file, offsetBytes: 0, lengthBytes: sizeBytes });
    bundleBytes += sizeBytes;
  }
  if (bundle.length > 0) yield bundle;
}
