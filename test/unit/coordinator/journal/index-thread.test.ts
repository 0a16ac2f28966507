import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { IndexThread } from '../../../../coordinator/journal/index-thread.ts';
import { localIndexer } from '../../../../coordinator/journal/segment-indexer.ts';
import { toJournalEntry } from '../../../../coordinator/journal/change-set-entry.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { encodeJournalEntry } from '../../../../shared/wal-index/journal-entry.ts';
import { madeChangeSet } from '../../../support/made-wal.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';

const SEGMENT_BYTES = 1024 * 1024;
const START = 0x100_0000n;

describe('IndexThread', () => {
  let directory: string;
  let thread: IndexThread;
  const segmentIn = (file: string) => ({
    stream: { node: 'shard1', systemIdentifier: '7123', timeline: 1 },
    startLsn: lsn(START),
    segmentBytes: SEGMENT_BYTES,
    path: path.join(directory, file),
    openBranches: [],
  });
  const writeSegment = (file: string, pieces: number): void => {
    const step = BigInt(SEGMENT_BYTES / 4);
    writeFileSync(path.join(directory, file), '');
    for (let piece = 0n; piece < BigInt(pieces); piece++) {
      const changeSet = madeChangeSet(START + piece * step, START + (piece + 1n) * step);
      for (const buffer of encodeJournalEntry(toJournalEntry(changeSet, SEGMENT_BYTES))) {
        appendFileSync(path.join(directory, file), buffer);
      }
    }
  };

  before(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'tidemark-index-'));
    thread = new IndexThread();
    writeSegment('whole', 4);
    writeSegment('short', 3);
    const damaged = readFileSync(path.join(directory, 'whole'));
    damaged[SEGMENT_BYTES / 2] = (damaged[SEGMENT_BYTES / 2] ?? 0) ^ 1;
    writeFileSync(path.join(directory, 'damaged'), damaged);
  });

  after(async () => {
    await thread.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('makes the same index as this thread would', async () => {
    const segment = segmentIn('whole');
    const [first, second] = await Promise.all([thread.index(segment), thread.index(segment)]);
    assert.deepEqual(first, await localIndexer.index(segment));
    assert.deepEqual(second, first);
  });

  it('says what is wrong with a segment, and goes on', async () => {
    await rejectsWithCode(thread.index(segmentIn('damaged')), 'TM-REPO-003');
    await rejectsWithCode(thread.index(segmentIn('short')), 'TM-REPO-003');
    await rejectsWithCode(thread.index(segmentIn('missing')), 'TM-REPO-009');
    assert.ok((await thread.index(segmentIn('whole'))).length > 0);
  });

  it('lowers the priority of its own thread and of no other', function () {
    if (process.platform !== 'linux') this.skip();
    const niceness = readdirSync('/proc/self/task').map((task) => {
      const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    });
    const own = Number(readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ')[16]);
    // 19 is the lowest priority that there is.
    const expected = Math.min(own + 10, 19);
    const others = niceness.filter((nice) => nice !== own);
    assert.deepEqual(others, expected === own ? [] : [expected]);
  });

  it('rejects what it has not done when it is closed', async () => {
    const closing = new IndexThread();
    const indexed = rejectsWithCode(closing.index(segmentIn('whole')), 'TM-INTERNAL-001');
    await closing.close();
    await indexed;
    await rejectsWithCode(closing.index(segmentIn('whole')), 'TM-INTERNAL-001');
  });
});
