import { readFrameExtent } from '../compression/zstd-frame.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../wal/change-set.ts';
import { type BackupManifest, parseBackupManifest, serializeBackupManifest } from './backup-manifest.ts';
import { backupManifestPath } from './layout.ts';
import type { CreateResult, ReadableRepository, Repository } from './repository.ts';

/** As much of ZstdPool as a manifest needs. */
export interface FrameCompressor {
  compress(content: Uint8Array): Promise<{ readonly frame: Buffer }>;
}

export interface FrameDecompressor {
  decompress(frame: Uint8Array, contentBytes: number): Promise<Buffer>;
}

/** A manifest of two million files has about this many compressed bytes. */
const MANIFEST_BYTES_MAX = 512 * 1024 * 1024;

/** Writes the manifest, as zstd frames of 1 MiB end to end. */
export async function writeBackupManifest(
  repository: Repository,
  manifest: BackupManifest,
  zstd: FrameCompressor,
): Promise<{ readonly path: string; readonly result: CreateResult }> {
  const path = backupManifestPath(manifest.node, manifest.systemIdentifier, manifest.id);
  const json = serializeBackupManifest(manifest);
  const frames: Buffer[] = [];
  for (let at = 0; at < json.length; at += FRAME_CONTENT_BYTES_MAX) {
    const { frame } = await zstd.compress(json.subarray(at, at + FRAME_CONTENT_BYTES_MAX));
    frames.push(frame);
  }
  return { path, result: await repository.create(path, Buffer.concat(frames)) };
}

/**
 * Reads and checks a manifest.
 * @throws TidemarkError TM-REPO-002 if there is none, TM-REPO-003 if it is damaged, TM-REPO-006 and TM-REPO-008 as {@link parseBackupManifest}
 */
export async function readBackupManifest(
  repository: ReadableRepository,
  path: string,
  zstd: FrameDecompressor,
): Promise<BackupManifest> {
  const name = `${path} in ${repository.name}`;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of repository.read(path)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MANIFEST_BYTES_MAX) throw new TidemarkError('TM-REPO-003', `${name} is larger than any manifest`);
  }
  const file = Buffer.concat(chunks);
  const content: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const { frameBytes, contentBytes } = readFrameExtent(file.subarray(at));
    if (contentBytes === null || contentBytes > FRAME_CONTENT_BYTES_MAX) {
      throw new TidemarkError('TM-REPO-003', `${name} has a frame that does not say its size`);
    }
    content.push(await zstd.decompress(file.subarray(at, at + frameBytes), contentBytes));
    at += frameBytes;
  }
  return parseBackupManifest(Buffer.concat(content), name);
}
