import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, readdir, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { historyPath, journalSegmentPath, walIndexPath, walSegmentPath } from '../../../../shared/repository/layout.ts';
import { segmentName } from '../../../../shared/postgres/wal-segment.ts';
import { decodeSegmentIndex } from '../../../../shared/wal-index/segment-index.ts';
import { ChangedBlockCollector } from '../../../../shared/wal/changed-block-collector.ts';
import { decodeChangedBlocks, encodeChangedBlocks } from '../../../../shared/wal-index/changed-blocks-codec.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import type { ChangeSet } from '../../../../shared/wal/change-set.ts';
import { madeWal, storedCodec } from '../../../support/made-wal.ts';
import {
  STREAM,
  SEGMENT_BYTES,
  START,
  SEGMENTS,
  JournalPlace,
  changeSets,
  appendAll,
  readWal,
  snapshotOf,
} from './journal-place.ts';

describe('finishing a segment', () => {
  let place: JournalPlace;

  beforeEach(async () => {
    place = new JournalPlace(await mkdtemp(join(tmpdir(), 'tidemark-journal-')));
  });

  afterEach(async () => {
    await place.close();
    await rm(place.path, { recursive: true, force: true });
  });

  it('makes an object of every whole segment and removes its journal file', async () => {
    const store = await place.open();
    await appendAll(store, changeSets(START, START + 2_100_000n, 128 * 1024));
    await store.finished();
    for (const segment of SEGMENTS.slice(0, 2)) {
      assert.ok((await stat(join(place.path, walSegmentPath(STREAM, segment)))).size > SEGMENT_BYTES);
    }
    assert.deepEqual(
      (await store.journalFiles()).map(({ path }) => path),
      [journalSegmentPath(STREAM, SEGMENTS[2])],
    );
    assert.deepEqual(await readdir(join(place.path, 'journal/shard1/7123/00000001')), [`${SEGMENTS[2]}.zst`]);
  });

  it('merges tiny frames when it finishes a segment, while somebody reads it', async () => {
    const store = await place.open();
    const stop = new AbortController();
    const reader = store.read(STREAM, NO_LSN, stop.signal)[Symbol.asyncIterator]();
    const list = changeSets(START, START + BigInt(SEGMENT_BYTES) + 10n, 4000);
    await appendAll(store, list.slice(0, 5));
    const parts = [(await reader.next()).value as ChangeSet];
    await appendAll(store, list.slice(5));
    await store.finished();
    for (let read = 1; read < list.length; read++) parts.push((await reader.next()).value as ChangeSet);
    assert.deepEqual(
      parts.map(({ endLsn }) => endLsn),
      list.map(({ endLsn }) => endLsn),
    );
    const object = await readFile(join(place.path, walSegmentPath(STREAM, SEGMENTS[0])));
    assert.ok(object.length < SEGMENT_BYTES + 1000, `${object.length} bytes are too many for one frame`);
    const reopened = await place.open();
    const merged = await readWal(reopened, lsn(START + 100n), lsn(START + 200n));
    assert.equal(merged.length, SEGMENT_BYTES);
  });

  it('writes the index of every whole segment, with what was open at its start, also on the next timeline', async () => {
    const store = await place.open();
    const prepare = (at: bigint, xid: number): TransactionEvent => ({
      kind: 'prepare',
      lsn: lsn(at),
      endLsn: lsn(at + 50n),
      previousLsn: lsn(at - 64n),
      xid,
      databaseOid: 5,
      gid: `g${xid}`,
      timeUs: 1n,
      subxids: [],
    });
    const [first, ...others] = changeSets(START, START + 3_200_000n, 128 * 1024);
    assert.ok(first !== undefined);
    const finish: TransactionEvent = { ...prepare(START + 200n, 7), kind: 'commit-prepared' };
    await appendAll(store, [
      { ...first, events: [prepare(START + 64n, 7), finish, prepare(START + 300n, 8)] },
      ...others,
    ]);
    const next = { ...STREAM, timeline: 2 };
    await place.create(historyPath('shard1', '7123', 2), '1\t0/1280000\tno recovery target specified\n');
    for (const changeSet of changeSets(START + 0x20_0000n, START + 0x30_0000n, 128 * 1024)) {
      await store.append(next, SEGMENT_BYTES, { ...changeSet, timeline: 2 });
    }
    await store.finished();
    const indexOf = async (stream: typeof STREAM, segment: string) =>
      decodeSegmentIndex(await readFile(join(place.path, walIndexPath(stream, segment))));
    const indexes = await Promise.all([
      ...SEGMENTS.map((segment) => indexOf(STREAM, segment)),
      indexOf(next, '000000020000000000000012'),
    ]);
    assert.deepEqual(
      indexes.map(({ openBranches }) => openBranches.map(({ gid }) => gid)),
      [[], ['g8'], ['g8'], ['g8']],
    );
    assert.deepEqual(
      indexes.map(({ events }) => events.length),
      [3, 0, 0, 0],
    );
    for (const { stream, startLsn, objectBytes, frames } of indexes) {
      const name = segmentName(stream.timeline, startLsn, SEGMENT_BYTES);
      const object = await readFile(join(place.path, walSegmentPath(stream, name)));
      assert.equal(objectBytes, object.length);
      const frame = frames[3] ?? assert.fail();
      const content = object.subarray(frame.offsetBytes, frame.offsetBytes + frame.frameBytes);
      assert.deepEqual(
        await storedCodec.decompress(content, frame.contentBytes),
        madeWal(frame.startLsn, lsn(frame.startLsn + BigInt(frame.contentBytes))),
      );
    }
  });

  it("keeps the clock readings of change sets, merged into their segment's index, and compares none", async () => {
    const store = await place.open();
    const read = (changeSet: ChangeSet, offsetUs: bigint): ChangeSet => ({
      ...changeSet,
      clocks: [
        { atLsn: changeSet.endLsn, nodeTimeUs: 5n, offsetUs, uncertaintyUs: 1n, coordinatorId: 'west-1', term: 2n },
      ],
    });
    const list = changeSets(START, START + BigInt(SEGMENT_BYTES), 10_000);
    const readings = list.filter((_, index) => index % 4 === 1).map(({ endLsn }) => endLsn);
    const withClocks = list.map((changeSet) => (readings.includes(changeSet.endLsn) ? read(changeSet, 7n) : changeSet));
    await appendAll(store, withClocks.slice(0, 50));
    await appendAll(
      store,
      withClocks.slice(0, 50).map((changeSet) => read(changeSet, 8n)),
    );
    const reader = store.read(STREAM, lsn(START), new AbortController().signal);
    for (const changeSet of withClocks.slice(0, 50)) {
      assert.deepEqual(((await reader.next()).value as ChangeSet).clocks, changeSet.clocks);
    }
    await reader.return();
    await appendAll(store, withClocks.slice(50));
    await store.finished();
    const index = decodeSegmentIndex(await readFile(join(place.path, walIndexPath(STREAM, SEGMENTS[0]))));
    assert.deepEqual(
      index.clocks,
      withClocks.flatMap(({ clocks }) => clocks),
    );
  });

  it("joins the changed blocks of a segment's change sets in its index, unless one has none", async () => {
    const store = await place.open();
    const collector = new ChangedBlockCollector();
    const changed = (changeSet: ChangeSet, block: number): ChangeSet => {
      collector.block(1663, 5, 16384, 0, block);
      return { ...changeSet, changedBlocks: encodeChangedBlocks(collector.take()) };
    };
    const size = BigInt(SEGMENT_BYTES);
    const tiny = changeSets(START, START + size, 10_000).map((changeSet, index) => changed(changeSet, index % 40));
    const large = changeSets(START + size, START + 2n * size, 300_000);
    await appendAll(store, [
      ...tiny,
      ...large.map((changeSet, index) => (index === 1 ? changeSet : changed(changeSet, 1))),
    ]);
    await store.finished();
    const [first, second] = await Promise.all(
      SEGMENTS.slice(0, 2).map(async (segment) =>
        decodeSegmentIndex(await readFile(join(place.path, walIndexPath(STREAM, segment)))),
      ),
    );
    assert.deepEqual(
      decodeChangedBlocks(first?.changedBlocks ?? assert.fail()).forks.map(({ ranges }) => [...ranges]),
      [[0, 40]],
    );
    assert.equal(second?.changedBlocks.length, 0);
  });

  it('repairs a crash between any two steps of finishing a segment', async () => {
    let store = await place.open();
    await appendAll(store, changeSets(START, START + 1_000_000n, 100_000));
    await place.close();
    const journal = join(place.path, journalSegmentPath(STREAM, SEGMENTS[0]));
    const before = await readFile(journal);
    store = await place.open();
    const list = changeSets(START + 1_000_000n, START + 1_100_000n, 100_000);
    await appendAll(store, list);
    await store.finished();
    await place.close();
    const object = join(place.path, walSegmentPath(STREAM, SEGMENTS[0]));
    const whole = await readFile(object);
    assert.deepEqual(whole.subarray(0, before.length), before);
    const finished = await snapshotOf(place.path);
    // Object made, journal file still there.
    await writeFile(journal, whole);
    store = await place.open();
    await store.finished();
    assert.deepEqual(await snapshotOf(place.path), finished);
    // Journal file whole, nothing made of it yet.
    await place.close();
    await writeFile(journal, whole);
    await rm(object);
    store = await place.open();
    assert.equal(store.position(STREAM)?.durableLsn, START + 1_100_000n);
    await store.finished();
    assert.deepEqual(await snapshotOf(place.path), finished);
  });

  it('tells of a segment as whole before its last change set is durable to anybody', async () => {
    let closed = (): void => {};
    const openFile = async (path: string, flags: number, mode: number): Promise<FileHandle> => {
      const handle = await open(path, flags, mode);
      const close = handle.close.bind(handle);
      handle.close = async () => {
        await new Promise<void>((resolve) => (closed = resolve));
        await close();
      };
      return handle;
    };
    const store = await place.open({ openFile });
    await appendAll(store, changeSets(START, START + BigInt(SEGMENT_BYTES), 128 * 1024));
    const [file, ...others] = await store.journalFiles();
    assert.deepEqual([file?.path, others], [journalSegmentPath(STREAM, SEGMENTS[0]), []]);
    assert.ok((file?.sizeBytes ?? 0) > SEGMENT_BYTES);
    await store.finished();
    await stat(join(place.path, walIndexPath(STREAM, SEGMENTS[0])));
    closed();
  });
});
