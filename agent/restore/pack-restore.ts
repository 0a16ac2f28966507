import path from 'node:path';
import { CONTROL_FILE_PATH } from '../../shared/postgres/pg-control.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { BackupManifest } from '../../shared/repository/backup-manifest.ts';
import { backupPackPath } from '../../shared/repository/layout.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import type { FrameWriter, PlacedFrame } from './frame-writer.ts';
import type { FrameWrite } from './write-job.ts';

interface PackRestoreOptions {
  readonly manifest: BackupManifest;
  readonly repository: ReadableRepository;
  readonly directory: string;
  readonly writer: FrameWriter;
  readonly signal: AbortSignal;
  readonly packsWritten: ReadonlySet<number>;
  /** All of the pack's content was written. */
  readonly onPack: (pack: number) => Promise<void>;
  readonly onBytes: (contentBytes: number) => void;
}

/**
 * Writes the content of every pack to its files. Frames that hold a piece of pg_control are not written: they are returned, to be
 * written last.
 * @throws TidemarkError TM-REPO-002 and TM-REPO-003 for a pack that is missing, truncated or damaged
 */
export async function restorePacks(options: PackRestoreOptions): Promise<readonly PlacedFrame[]> {
  const { manifest, writer, packsWritten } = options;
  const writes = writesOf(manifest, options.directory);
  const control = path.join(options.directory, CONTROL_FILE_PATH);
  const last: PlacedFrame[] = [];
  let sequence = 0;
  for (const pack of manifest.packs.keys()) {
    const first = sequence;
    while (manifest.frames[sequence]?.[0] === pack) sequence += 1;
    const frames = manifest.frames.slice(first, sequence);
    const holdsControl = frames.some((_, index) => writes[first + index]!.some((write) => write.file === control));
    if (packsWritten.has(pack) && !holdsControl) {
      options.onBytes(frames.reduce((sum, frame) => sum + frame[3], 0));
      continue;
    }
    let index = first;
    for await (const frame of readPack(options, pack, frames)) {
      const [, , , contentBytes, contentSha256] = manifest.frames[index]!;
      const name = `frame ${index} of backup ${manifest.id} in ${options.repository.name}`;
      const placed = { name, frame, contentBytes, contentSha256, writes: writes[index]! };
      if (placed.writes.some((write) => write.file === control)) last.push(placed);
      else await writer.write(placed);
      options.onBytes(contentBytes);
      index += 1;
    }
    await writer.settle();
    await options.onPack(pack);
  }
  return last;
}

/** What is to be done with each frame's content. */
function writesOf(manifest: BackupManifest, directory: string): FrameWrite[][] {
  const writes: FrameWrite[][] = manifest.frames.map(() => []);
  for (const { path: name, extents } of manifest.files) {
    const file = path.join(directory, name);
    let fileOffset = 0;
    for (const [sequence, contentOffset, lengthBytes] of extents) {
      writes[sequence]!.push({ file, contentOffset, lengthBytes, fileOffset });
      fileOffset += lengthBytes;
    }
  }
  return writes;
}

async function* readPack(
  options: PackRestoreOptions,
  pack: number,
  frames: BackupManifest['frames'],
): AsyncGenerator<Uint8Array> {
  const { manifest, repository, signal } = options;
  const name = backupPackPath(manifest.node, manifest.systemIdentifier, manifest.id, pack);
  let next = 0;
  let frame = new Uint8Array(frames[0]?.[2] ?? 0);
  let filled = 0;
  for await (const chunk of repository.read(name)) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.length;) {
      if (next === frames.length) {
        throw new TidemarkError('TM-REPO-003', `${name} in ${repository.name} is longer than its manifest says`);
      }
      const taken = Math.min(frame.length - filled, chunk.length - at);
      frame.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled === frame.length) {
        yield frame;
        next += 1;
        frame = new Uint8Array(frames[next]?.[2] ?? 0);
        filled = 0;
      }
    }
  }
  if (next < frames.length) {
    throw new TidemarkError(
      'TM-REPO-003',
      `${name} in ${repository.name} is cut off in frame ${next} of ${frames.length}`,
    );
  }
}
