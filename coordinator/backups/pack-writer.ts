import { readFrameExtent } from '../../shared/compression/zstd-frame.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { type BackupFrame, PACK_BYTES_MAX } from '../../shared/repository/backup-manifest.ts';
import type { Repository } from '../../shared/repository/repository.ts';
import type { BaseBackupFrame } from './base-backup-stream.ts';

export interface WrittenPacks {
  readonly packs: readonly { readonly sizeBytes: number }[];
  readonly frames: readonly BackupFrame[];
}

interface PackWriterOptions {
  readonly repository: Repository;
  readonly pathOf: (pack: number) => string;
  /** Called before a pack is begun. */
  readonly onPack: (path: string) => void;
  readonly packBytesMax?: number;
}

/**
 * Writes frames end to end into packs, in the order in which they come. Each pack is created whole; frames are pulled
 * as fast as the repository takes them, and none is held but the one that begins the next pack.
 * @throws TidemarkError TM-BACKUP-001 if a frame is not what it says
 */
export async function writePacks(
  source: AsyncIterable<BaseBackupFrame>,
  options: PackWriterOptions,
): Promise<WrittenPacks> {
  const { repository, pathOf, onPack, packBytesMax = PACK_BYTES_MAX } = options;
  const packs: { sizeBytes: number }[] = [];
  const frames: BackupFrame[] = [];
  const iterator = source[Symbol.asyncIterator]();
  try {
    let next = await iterator.next();
    while (next.done !== true) {
      const pack = packs.length;
      let sizeBytes = 0;
      const content = async function* (): AsyncGenerator<Uint8Array> {
        while (next.done !== true && (sizeBytes === 0 || sizeBytes + next.value.frame.length <= packBytesMax)) {
          const { frame, contentBytes, contentSha256 } = checkedFrame(next.value, frames.length);
          frames.push([pack, sizeBytes, frame.length, contentBytes, contentSha256.toString('hex')]);
          sizeBytes += frame.length;
          yield frame;
          next = await iterator.next();
        }
      };
      const path = pathOf(pack);
      onPack(path);
      await repository.create(path, content());
      packs.push({ sizeBytes });
    }
  } finally {
    await iterator.return?.();
  }
  return { packs, frames };
}

/** The frame's own structure is checked here; its content when it is read. */
function checkedFrame(frame: BaseBackupFrame, sequence: number): BaseBackupFrame {
  const extent = readFrameExtent(frame.frame);
  if (
    frame.sequence !== sequence ||
    extent.frameBytes !== frame.frame.length ||
    (extent.contentBytes !== null && extent.contentBytes !== frame.contentBytes) ||
    frame.contentSha256.length !== 32
  ) {
    throw new TidemarkError(
      'TM-BACKUP-001',
      `the agent sent frame ${frame.sequence} where ${sequence} was expected, or a damaged one`,
    );
  }
  return frame;
}
