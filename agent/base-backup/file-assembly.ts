import { assert } from '../../shared/errors/assert.ts';
import type { ListedFile } from './file-list.ts';
import type { FramePlan } from './frame-plan.ts';
import type { FailedPage } from './page-verifier.ts';
import type { PartResult } from './read-job.ts';

/** A range of a frame's content. */
export interface FileExtent {
  readonly sequence: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A file as it lies in the backup. */
export interface BackedUpFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly modifiedAtUs: number;
  readonly extents: readonly FileExtent[];
  readonly badBlocks: readonly number[];
}

interface Piece extends PartResult {
  readonly plannedBytes: number;
  readonly offsetBytes: number;
  readonly extent: FileExtent | null;
}

/**
 * Puts the files together from the frames, which come in any order. A file ends where a read first fell short: whatever lay
 * behind was cut off after the backup's start, and the WAL that is replayed makes it anew.
 */
export class FileAssembly {
  readonly #files: readonly ListedFile[];
  readonly #partsLeft: Uint32Array;
  readonly #pieces = new Map<number, Piece[]>();
  #vanished = 0;

  constructor(files: readonly ListedFile[], plans: readonly FramePlan[]) {
    this.#files = files;
    this.#partsLeft = new Uint32Array(files.length);
    for (const plan of plans) {
      for (const part of plan) this.#partsLeft[part.file]! += 1;
    }
  }

  get filesVanished(): number {
    return this.#vanished;
  }

  /**
   * Takes in a frame. Returns the files of which it was the last.
   * @param sequence the frame's number; anything if no part has bytes
   */
  add(plan: FramePlan, results: readonly PartResult[], sequence: number): BackedUpFile[] {
    assert(plan.length === results.length, 'every part of a frame has its result');
    const finished: BackedUpFile[] = [];
    let at = 0;
    for (const [index, part] of plan.entries()) {
      const result = results[index]!;
      const lengthBytes = result.lengthBytes ?? 0;
      const pieces = this.#pieces.get(part.file) ?? [];
      this.#pieces.set(part.file, pieces);
      pieces.push({
        ...result,
        plannedBytes: part.lengthBytes,
        offsetBytes: part.offsetBytes,
        extent: lengthBytes === 0 ? null : { sequence, offsetBytes: at, lengthBytes },
      });
      at += lengthBytes;
      this.#partsLeft[part.file]! -= 1;
      if (this.#partsLeft[part.file] === 0) {
        this.#pieces.delete(part.file);
        const file = assemble(this.#files[part.file]!, pieces);
        if (file === null) this.#vanished += 1;
        else finished.push(file);
      }
    }
    return finished;
  }
}

/** Null if the file has vanished before its first byte was read. */
function assemble(file: ListedFile, pieces: Piece[]): BackedUpFile | null {
  pieces.sort((a, b) => a.offsetBytes - b.offsetBytes);
  if (pieces[0]?.lengthBytes === null) return null;
  const extents: FileExtent[] = [];
  const failed: FailedPage[] = [];
  let sizeBytes = 0;
  for (const piece of pieces) {
    if (piece.extent !== null) extents.push(piece.extent);
    failed.push(...piece.failed);
    sizeBytes += piece.lengthBytes ?? 0;
    if ((piece.lengthBytes ?? 0) < piece.plannedBytes) break;
  }
  return {
    path: file.path,
    sizeBytes,
    mode: file.mode,
    modifiedAtUs: file.modifiedAtUs,
    extents,
    badBlocks: failed.map((page) => page.block),
  };
}
