import type { CompressedFrame } from '../../shared/compression/zstd-pool.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn, maxLsn, minLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { describe } from './change-set-entry.ts';

/** The part of a ZstdPool that is used here. */
export interface FrameCodec {
  compress(content: Buffer): Promise<CompressedFrame>;
  decompress(frame: Buffer, contentBytes: number): Promise<Buffer>;
}

/**
 * Compares a change set that begins before `takenLsn` with what is held there. Two sources may cut the same WAL in different
 * places, so runs are compared byte for byte where hashes cannot tell.
 * @param held the change sets that are held and overlap with it, in order
 * @returns what of it lies behind `takenLsn`, as a change set of its own; null if nothing does
 * @throws TidemarkError TM-WAL-004 if a byte differs
 */
export async function joinOverlap(
  stream: WalStreamKey,
  changeSet: ChangeSet,
  takenLsn: Lsn,
  held: AsyncIterable<ChangeSet>,
  zstd: FrameCodec,
): Promise<ChangeSet | null> {
  let content: Buffer | null = null;
  const contentOf = async (): Promise<Buffer> => (content ??= await decompress(changeSet, zstd));
  for await (const other of held) {
    if (other.startLsn === changeSet.startLsn && other.endLsn === changeSet.endLsn) {
      if (!other.contentSha256.equals(changeSet.contentSha256)) throw different(stream, changeSet, other);
      continue;
    }
    const from = maxLsn(changeSet.startLsn, other.startLsn);
    const to = minLsn(changeSet.endLsn, other.endLsn);
    const ours = slice(await decompress(other, zstd), other, from, to);
    if (!slice(await contentOf(), changeSet, from, to).equals(ours)) throw different(stream, changeSet, other);
  }
  if (changeSet.endLsn <= takenLsn) return null;
  const rest = slice(await contentOf(), changeSet, takenLsn, changeSet.endLsn);
  const compressed = await zstd.compress(rest);
  const events = changeSet.events.filter((event) => event.endLsn > takenLsn);
  return { ...changeSet, ...compressed, startLsn: takenLsn, events };
}

async function decompress(changeSet: ChangeSet, zstd: FrameCodec): Promise<Buffer> {
  return zstd.decompress(changeSet.frame, Number(changeSet.endLsn - changeSet.startLsn));
}

function slice(content: Buffer, of: ChangeSet, from: Lsn, to: Lsn): Buffer {
  return content.subarray(Number(from - of.startLsn), Number(to - of.startLsn));
}

function different(stream: WalStreamKey, changeSet: ChangeSet, held: ChangeSet): TidemarkError {
  return new TidemarkError(
    'TM-WAL-004',
    `${describe(stream, changeSet)} differs from what is held of ${formatLsn(held.startLsn)}-${formatLsn(held.endLsn)}`,
  );
}
