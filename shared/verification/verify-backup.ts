import { createHash } from 'node:crypto';
import type { FrameDecompressor } from '../repository/backup-manifest-file.ts';
import type { BackupManifest } from '../repository/backup-manifest.ts';
import { backupPackPath } from '../repository/layout.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import type { Finding } from './finding.ts';

/** Reads every frame of a backup again. @param onBytes after each chunk, with its size */
export async function* verifyBackup(
  repository: ReadableRepository,
  manifest: BackupManifest,
  zstd: FrameDecompressor,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Finding> {
  const { node, systemIdentifier, id } = manifest;
  for (const [number, pack] of manifest.packs.entries()) {
    const path = backupPackPath(node, systemIdentifier, id, number);
    const damage = (problem: string): Finding => ({ kind: 'damage', subject: path, problem });
    const found = await repository.stat(path);
    if (found === null || found.sizeBytes !== pack.sizeBytes) {
      yield damage(found === null ? 'it is missing' : `it has ${found.sizeBytes} bytes, not ${pack.sizeBytes}`);
      continue;
    }
    // The manifest's own check says that the frames fill the pack, one after the other.
    const frames = manifest.frames.flatMap(([framePack, offset, bytes, contentBytes, sha256], sequence) =>
      framePack === number ? [{ sequence, offset, bytes, contentBytes, sha256 }] : [],
    );
    let waiting: Buffer = Buffer.alloc(0);
    for await (const chunk of repository.read(path)) {
      onBytes(chunk.length);
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      for (let [frame] = frames; frame !== undefined && waiting.length >= frame.bytes; [frame] = frames) {
        frames.shift();
        const problem = await frameProblem(waiting.subarray(0, frame.bytes), frame, zstd);
        waiting = waiting.subarray(frame.bytes);
        if (problem !== null) {
          yield damage(`frame ${frame.sequence} at byte ${frame.offset}: ${problem}`);
        }
      }
    }
    if (frames.length > 0) {
      yield damage('it ends before its last frame');
    }
  }
}

async function frameProblem(
  bytes: Buffer,
  { contentBytes, sha256 }: { readonly contentBytes: number; readonly sha256: string },
  zstd: FrameDecompressor,
): Promise<string | null> {
  try {
    const content = await zstd.decompress(bytes, contentBytes);
    return createHash('sha256').update(content).digest('hex') === sha256 ? null : 'other bytes than its hash';
  } catch (error) {
    return (error as Error).message;
  }
}
