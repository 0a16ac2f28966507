import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WalStore } from '../../../../coordinator/journal/wal-store.ts';
import { lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { journalSegmentPath, walIndexPath } from '../../../../shared/repository/layout.ts';
import { PosixRepository } from '../../../../shared/repository/posix-repository.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { decodeSegmentIndex } from '../../../../shared/wal-index/segment-index.ts';
import { madeWal, storedCodec } from '../../../support/made-wal.ts';
import { appendAll, changeSets, hasCode, SEGMENT_BYTES, START, STREAM } from './journal-place.ts';

const SEGMENT = BigInt(SEGMENT_BYTES);
/** The hole begins inside of the first segment; the WAL goes on two segments later. */
const HOLE_FROM = START + 300_000n;
const HOLE_TO = START + 3n * SEGMENT;
const END = HOLE_TO + SEGMENT + 150_000n;

/** What a reader gets from the first byte to `END`, as ranges. */
async function readRanges(store: WalStore): Promise<[bigint, bigint][]> {
  const ranges: [bigint, bigint][] = [];
  for await (const { startLsn, endLsn, frame } of store.read(STREAM, NO_LSN, new AbortController().signal)) {
    const content = await storedCodec.decompress(frame, Number(endLsn - startLsn));
    assert.deepEqual(content, madeWal(startLsn, endLsn));
    const last = ranges.at(-1);
    if (last?.[1] === startLsn) last[1] = endLsn;
    else ranges.push([startLsn, endLsn]);
    if (endLsn === END) break;
  }
  return ranges;
}

describe('a stream with a hole', () => {
  let path: string;
  let repository: PosixRepository | null = null;
  let store: WalStore;

  async function close(): Promise<void> {
    await store.close();
    await repository?.close();
    repository = null;
  }

  async function open(): Promise<void> {
    repository = await PosixRepository.open(path, { create: { cluster: 'c', repositoryId: 'r' } });
    store = await WalStore.open({ repository, zstd: storedCodec });
  }

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'tidemark-runs-'));
    await open();
    await appendAll(store, changeSets(START, HOLE_FROM, 100_000));
  });

  afterEach(async () => {
    await close();
    await rm(path, { recursive: true, force: true });
  });

  async function appendBehindHole(): Promise<void> {
    store.allowHoleBefore(STREAM, lsn(HOLE_TO));
    await appendAll(store, changeSets(HOLE_TO, END, 100_000));
  }

  it('refuses WAL behind a hole that was not allowed, and a run that begins inside of a segment', async () => {
    await assert.rejects(appendAll(store, changeSets(HOLE_TO, HOLE_TO + 10n, 100_000)), hasCode('TM-WAL-006'));
    store.allowHoleBefore(STREAM, lsn(HOLE_TO + 8n));
    await assert.rejects(appendAll(store, changeSets(HOLE_TO + 8n, HOLE_TO + 16n, 100_000)), hasCode('TM-WAL-006'));
    assert.equal(store.position(STREAM)?.durableLsn, HOLE_FROM);
  });

  it('goes on behind the hole, with what is there before and after a restart', async () => {
    await appendBehindHole();
    const expected = [
      { startLsn: START, endLsn: HOLE_FROM },
      { startLsn: HOLE_TO, endLsn: END },
    ];
    const position = store.position(STREAM);
    assert.deepEqual(position?.runs, expected);
    assert.deepEqual([position?.firstLsn, position?.durableLsn], [START, END]);
    assert.deepEqual(await readRanges(store), [
      [START, HOLE_FROM],
      [HOLE_TO, END],
    ]);
    await store.finished();
    const files = (await store.journalFiles()).map((file) => file.path);
    assert.equal(files.length, 2, `the part before the hole and the segment at the end: ${files.join(' ')}`);
    await close();
    await open();
    assert.deepEqual(store.position(STREAM), position);
    assert.deepEqual(await readRanges(store), [
      [START, HOLE_FROM],
      [HOLE_TO, END],
    ]);
    assert.equal(store.resumeLsn(STREAM), END - 50_000n);
    await appendAll(store, changeSets(END, END + 5n, 100_000));
    assert.equal(store.position(STREAM)?.durableLsn, END + 5n);
  });

  it('forgets a hole that was allowed when a crash comes before the first WAL behind it', async () => {
    store.allowHoleBefore(STREAM, lsn(HOLE_TO));
    assert.equal(store.position(STREAM)?.durableLsn, HOLE_FROM);
    await close();
    await open();
    assert.deepEqual(store.position(STREAM)?.runs, [{ startLsn: START, endLsn: HOLE_FROM }]);
    await assert.rejects(appendAll(store, changeSets(HOLE_TO, HOLE_TO + 10n, 100_000)), hasCode('TM-WAL-006'));
    await appendBehindHole();
    assert.equal(store.position(STREAM)?.runs.length, 2);
  });

  it('takes a reader that waits at the end of the run over the hole when it is opened', async () => {
    const reading = readRanges(store);
    await appendBehindHole();
    assert.deepEqual(await reading, [
      [START, HOLE_FROM],
      [HOLE_TO, END],
    ]);
  });

  it('is filled from any side while new WAL arrives, and then has no hole, in its files neither', async () => {
    await appendBehindHole();
    const middle = HOLE_TO - SEGMENT;
    store.allowHoleBefore(STREAM, lsn(middle));
    await Promise.all([
      appendAll(store, changeSets(middle, HOLE_TO, 100_000)),
      appendAll(store, changeSets(HOLE_FROM, middle - 1000n, 100_000)),
      appendAll(store, changeSets(END, END + 50_000n, 100_000)),
    ]);
    assert.deepEqual(store.position(STREAM)?.runs, [
      { startLsn: START, endLsn: middle - 1000n },
      { startLsn: middle, endLsn: END + 50_000n },
    ]);
    await close();
    await open();
    await appendAll(store, changeSets(middle - 1000n, middle, 100_000));
    assert.deepEqual(store.position(STREAM)?.runs, [{ startLsn: START, endLsn: END + 50_000n }]);
    await store.finished();
    assert.equal((await readdir(join(path, 'journal/shard1/7123/00000001'))).length, 1);
    assert.deepEqual(await readRanges(store), [[START, END]]);
  });

  it('refuses other bytes in the hole once it is filled, and where a filling run would overlap', async () => {
    await appendBehindHole();
    await assert.rejects(appendAll(store, changeSets(HOLE_TO, HOLE_TO + 100n, 100_000, 1)), hasCode('TM-WAL-004'));
    await assert.rejects(
      appendAll(store, changeSets(HOLE_FROM - 100n, HOLE_FROM + 100n, 100_000, 1)),
      hasCode('TM-WAL-004'),
    );
    await appendAll(store, changeSets(HOLE_FROM - 100n, HOLE_TO, 100_000));
    await assert.rejects(
      appendAll(store, changeSets(HOLE_FROM + 8n, HOLE_FROM + 90n, 100_000, 1)),
      hasCode('TM-WAL-004'),
    );
    assert.deepEqual(await readRanges(store), [[START, END]]);
  });

  it('takes what is open behind the hole from the first events there, and nothing from before', async () => {
    const prepare = (at: bigint, xid: number, seeded: boolean): TransactionEvent => ({
      kind: 'prepare',
      lsn: lsn(at),
      endLsn: lsn(seeded ? at : at + 50n),
      previousLsn: lsn(seeded ? at : at - 64n),
      xid,
      databaseOid: 5,
      gid: `g${xid}`,
      timeUs: 1n,
      subxids: [],
      ...(seeded ? { seeded } : {}),
    });
    const [before] = changeSets(HOLE_FROM, HOLE_FROM + 1000n, 100_000);
    assert.ok(before !== undefined);
    await appendAll(store, [{ ...before, events: [prepare(HOLE_FROM + 64n, 7, false)] }]);
    store.allowHoleBefore(STREAM, lsn(HOLE_TO));
    const [first, ...others] = changeSets(HOLE_TO, HOLE_TO + 2n * SEGMENT, 100_000);
    assert.ok(first !== undefined);
    await appendAll(store, [{ ...first, events: [prepare(HOLE_TO, 8, true)] }, ...others]);
    await store.finished();
    const opened = await Promise.all(
      ['000000010000000000000013', '000000010000000000000014'].map(async (segment) => {
        const index = decodeSegmentIndex(await readFile(join(path, walIndexPath(STREAM, segment))));
        return index.openBranches.map(({ gid }) => gid);
      }),
    );
    assert.deepEqual(opened, [[], ['g8']]);
    assert.ok(
      (await store.journalFiles()).some((file) => file.path === journalSegmentPath(STREAM, '000000010000000000000010')),
    );
  });
});
