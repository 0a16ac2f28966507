import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { NO_LSN, lsn } from '../../../../shared/postgres/lsn.ts';
import { readContents } from '../../../../shared/repository/repository-contents.ts';
import type { ObjectEntry, ReadableRepository } from '../../../../shared/repository/repository.ts';
import { encodeJournalEntry } from '../../../../shared/wal-index/journal-entry.ts';

const SEGMENT_BYTES = 1024 * 1024;
const JOURNAL = 'journal/shard-0/7000000000000000001/00000001/000000010000000000000012.zst';
const FINISHED = 'nodes/shard-0/7000000000000000001/wal/00000001/000000010000000000000012.zst';

const content = Buffer.concat(
  encodeJournalEntry({
    segmentBytes: SEGMENT_BYTES,
    timeline: 1,
    startLsn: lsn(0x1200000n),
    endLsn: lsn(0x1300000n),
    nextRecordLsn: lsn(0x1300000n),
    lastRecordLsn: NO_LSN,
    contentSha256: Buffer.alloc(32),
    events: Buffer.alloc(0),
    changedBlocks: Buffer.alloc(0),
    clocks: Buffer.alloc(0),
    frame: Buffer.from('not looked into'),
    frameCrc32: crc32('not looked into'),
  }),
);

/** A copy in which a segment is finished, between its being listed in the journal and its being read there. */
class FinishingRepository implements ReadableRepository {
  readonly name = 'finishing';
  #path = JOURNAL;

  async *list(prefix: string): AsyncGenerator<ObjectEntry> {
    if (this.#path.startsWith(prefix)) yield { path: this.#path, sizeBytes: content.length };
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    return path === this.#path ? { path, sizeBytes: content.length } : null;
  }

  async *read(path: string): AsyncGenerator<Buffer> {
    this.#path = FINISHED;
    if (path !== this.#path) throw new TidemarkError('TM-REPO-002', `${path} does not exist`);
    yield content;
  }
}

describe('readContents', () => {
  it('misses no segment that is finished while it looks', async () => {
    const { wal, unreadable } = await readContents(new FinishingRepository(), {
      decompress: () => Promise.reject(new Error('nothing is compressed here')),
    });
    assert.deepEqual(unreadable, []);
    assert.deepEqual(
      wal.map(({ startLsn, endLsn }) => [startLsn, endLsn]),
      [[0x1200000n, 0x1300000n]],
    );
  });
});
