import { WalStore } from '../../coordinator/journal/wal-store.ts';
import { PosixRepository } from '../../shared/repository/posix-repository.ts';
import { madeChangeSet, storedCodec } from './made-wal.ts';
import { SeededRandom } from './seeded-random.ts';

/**
 * A process that appends made WAL to a journal as fast as it can and prints every position that it was told to be durable, until it is
 * killed. Arguments: directory, seed.
 */
const [directory = '', seed = '1'] = process.argv.slice(2);
const SEGMENT_BYTES = 1024 * 1024;
const STREAM = { node: 'shard1', systemIdentifier: '7123', timeline: 1 };
const random = new SeededRandom(Number(seed));

const repository = await PosixRepository.open(directory, { create: { cluster: 'c', repositoryId: 'r' } });
const store = await WalStore.open({ repository, zstd: storedCodec });
let position: bigint = store.position(STREAM)?.durableLsn ?? 0x100_0000n;
const state = { waiting: 0 };
for (;;) {
  const segmentEnd = (position / BigInt(SEGMENT_BYTES) + 1n) * BigInt(SEGMENT_BYTES);
  // Small ones, so that segments are merged too, and large ones.
  const bytes = BigInt(1 + random.below(random.below(4) === 0 ? 200_000 : 3_000));
  const end = position + bytes < segmentEnd ? position + bytes : segmentEnd;
  state.waiting += 1;
  void append(position, end);
  position = end;
  do await new Promise(setImmediate);
  while (state.waiting > 50);
}

async function append(from: bigint, to: bigint): Promise<void> {
  try {
    await store.append(STREAM, SEGMENT_BYTES, madeChangeSet(from, to));
    process.stdout.write(`${to}\n`);
    state.waiting -= 1;
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  }
}
