import assert from 'node:assert/strict';
import { cp, mkdtemp, open, readFile, readdir, rm, stat, truncate, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WalStore, type WalStoreOptions } from '../../../../coordinator/journal/wal-store.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { lsn, NO_LSN, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { historyPath, journalSegmentPath, walIndexPath, walSegmentPath } from '../../../../shared/repository/layout.ts';
import { segmentName } from '../../../../shared/postgres/wal-segment.ts';
import { decodeSegmentIndex } from '../../../../shared/wal-index/segment-index.ts';
import { ChangedBlockCollector } from '../../../../shared/wal/changed-block-collector.ts';
import { decodeChangedBlocks, encodeChangedBlocks } from '../../../../shared/wal-index/changed-blocks-codec.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { PosixRepository } from '../../../../shared/repository/posix-repository.ts';
import type { ChangeSet } from '../../../../shared/wal/change-set.ts';
import { madeChangeSet, madeWal, storedCodec } from '../../../support/made-wal.ts';

const STREAM = { node: 'shard1', systemIdentifier: '7123', timeline: 1 };
const SEGMENT_BYTES = 1024 * 1024;
const START = 0x100_0000n;
const SEGMENTS = ['000000010000000000000010', '000000010000000000000011', '000000010000000000000012'] as const;

class Place {
  readonly path: string;
  #repository: PosixRepository | null = null;
  #store: WalStore | null = null;

  constructor(path: string) {
    this.path = path;
  }

  async open(options: Partial<WalStoreOptions> = {}): Promise<WalStore> {
    await this.close();
    this.#repository = await PosixRepository.open(this.path, { create: { cluster: 'c', repositoryId: 'r' } });
    this.#store = await WalStore.open({ repository: this.#repository, zstd: storedCodec, ...options });
    return this.#store;
  }

  async create(path: string, content: string): Promise<void> {
    await this.#repository?.create(path, Buffer.from(content));
  }

  async close(): Promise<void> {
    await this.#store?.close();
    await this.#repository?.close();
    this.#store = null;
    this.#repository = null;
  }
}

/** Change sets of `stepBytes`, cut at segment boundaries. */
function changeSets(from: bigint, to: bigint, stepBytes: number, history = 0): ChangeSet[] {
  const made: ChangeSet[] = [];
  for (let at = from; at < to;) {
    const segmentEnd = (at / BigInt(SEGMENT_BYTES) + 1n) * BigInt(SEGMENT_BYTES);
    const end = [at + BigInt(stepBytes), segmentEnd, to].reduce((a, b) => (a < b ? a : b));
    made.push(madeChangeSet(at, end, { history }));
    at = end;
  }
  return made;
}

async function appendAll(store: WalStore, list: readonly ChangeSet[]): Promise<void> {
  await Promise.all(list.map((changeSet) => store.append(STREAM, SEGMENT_BYTES, changeSet)));
}

/** Everything from `from` to `to`, as a reader gets it; each change set must join the one before. */
async function readWal(store: WalStore, from: Lsn, to: Lsn): Promise<Buffer> {
  const stop = new AbortController();
  const parts: Buffer[] = [];
  let position: Lsn | null = null;
  for await (const changeSet of store.read(STREAM, from, stop.signal)) {
    if (position !== null) assert.equal(changeSet.startLsn, position);
    position = changeSet.endLsn;
    parts.push(await storedCodec.decompress(changeSet.frame, Number(changeSet.endLsn - changeSet.startLsn)));
    if (changeSet.endLsn >= to) break;
  }
  return Buffer.concat(parts);
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TidemarkError && error.code === code;
}

describe('the WAL store', () => {
  let place: Place;

  beforeEach(async () => {
    place = new Place(await mkdtemp(join(tmpdir(), 'tidemark-journal-')));
  });

  afterEach(async () => {
    await place.close();
    await rm(place.path, { recursive: true, force: true });
  });

  it('keeps what was appended, across segments and a restart', async () => {
    const end = START + 2_500_000n;
    let store = await place.open();
    await appendAll(store, changeSets(START, end, 100_000));
    const position = store.position(STREAM);
    assert.equal(position?.durableLsn, end);
    assert.deepEqual(await readWal(store, NO_LSN, lsn(end)), madeWal(lsn(START), lsn(end)));
    await store.finished();
    store = await place.open();
    assert.deepEqual(store.position(STREAM), position);
    assert.deepEqual(await readWal(store, NO_LSN, lsn(end)), madeWal(lsn(START), lsn(end)));
    await appendAll(store, changeSets(end, end + 1000n, 300));
    assert.equal(store.position(STREAM)?.durableLsn, end + 1000n);
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

  it('hands the tail to several readers at their own pace, from any position', async () => {
    const store = await place.open();
    const end = START + 1_500_000n;
    const stop = new AbortController();
    const seen = [START, START + 12_345n, START + 1_200_000n].map(async (from) => {
      let position: bigint | null = null;
      for await (const changeSet of store.read(STREAM, lsn(from), stop.signal)) {
        if (position === null) assert.ok(changeSet.startLsn <= from && from < changeSet.endLsn);
        else assert.equal(changeSet.startLsn, position);
        position = changeSet.endLsn;
        if (position === end) return true;
      }
      return false;
    });
    await appendAll(store, changeSets(START, end, 7000));
    assert.deepEqual(await Promise.all(seen), [true, true, true]);
    const idle = store.read(STREAM, lsn(end), stop.signal).next();
    stop.abort();
    assert.equal((await idle).done, true);
  });

  it('takes the same bytes again, however they are cut, and refuses others, holes and wrong beginnings', async () => {
    const store = await place.open();
    const end = START + 50_000n;
    await appendAll(store, changeSets(START, end, 10_000));
    await appendAll(store, changeSets(START, end, 10_000));
    await appendAll(store, changeSets(START + 5_000n, end, 7_000));
    await appendAll(store, changeSets(START + 45_000n, end + 20_000n, 11_000));
    assert.equal(store.position(STREAM)?.durableLsn, end + 20_000n);
    assert.deepEqual(await readWal(store, NO_LSN, lsn(end + 20_000n)), madeWal(lsn(START), lsn(end + 20_000n)));
    await assert.rejects(appendAll(store, changeSets(START, START + 10_000n, 10_000, 1)), hasCode('TM-WAL-004'));
    await assert.rejects(
      appendAll(store, changeSets(START + 65_000n, START + 80_000n, 15_000, 1)),
      hasCode('TM-WAL-004'),
    );
    await assert.rejects(appendAll(store, changeSets(START + 70_001n, START + 80_000n, 15_000)), hasCode('TM-WAL-006'));
    await assert.rejects(
      store.append({ ...STREAM, node: 'other' }, SEGMENT_BYTES, madeChangeSet(START + 5n, START + 10n)),
      hasCode('TM-WAL-006'),
    );
    await assert.rejects(
      store.append({ ...STREAM, node: '../other' }, SEGMENT_BYTES, madeChangeSet(START, START + 10n)),
      hasCode('TM-REPO-006'),
    );
    assert.equal(store.position(STREAM)?.durableLsn, end + 20_000n);
  });

  it('refuses a frame that is not the one that was made', async () => {
    const store = await place.open();
    const sound = madeChangeSet(START, START + 10_000n);
    for (const at of [0, 5000, sound.frame.length - 1]) {
      const frame = Buffer.from(sound.frame);
      frame[at] = (frame[at] ?? 0) ^ 4;
      await assert.rejects(store.append(STREAM, SEGMENT_BYTES, { ...sound, frame }), hasCode('TM-WAL-002'));
    }
    await appendAll(store, [sound]);
    assert.deepEqual(await readWal(store, NO_LSN, lsn(START + 10_000n)), madeWal(lsn(START), lsn(START + 10_000n)));
  });

  it('calls its listeners once for every byte, in order, when it is durable', async () => {
    const store = await place.open();
    const heard: bigint[] = [START];
    store.onAppended((stream, changeSet) => {
      assert.deepEqual(stream, STREAM);
      assert.equal(changeSet.startLsn, heard.at(-1));
      assert.equal(store.position(STREAM)?.durableLsn, changeSet.endLsn);
      heard.push(changeSet.endLsn);
    });
    await appendAll(store, changeSets(START, START + 1_200_000n, 50_000));
    await appendAll(store, changeSets(START, START + 1_200_000n, 50_000));
    assert.equal(heard.at(-1), START + 1_200_000n);
  });

  it('opens whatever a crash left: an extra is allowed, a hole never', async () => {
    const store = await place.open();
    const list = changeSets(START, START + 1_400_000n, 50_000);
    await appendAll(store, list);
    await store.finished();
    await place.close();
    const journal = join(place.path, journalSegmentPath(STREAM, SEGMENTS[1]));
    const whole = await readFile(journal);
    const first = START + BigInt(SEGMENT_BYTES);
    const ends = list.map(({ endLsn }) => endLsn).filter((end) => end > first);
    for (let length = 0; length <= whole.length; length += 29_989) {
      await writeFile(journal, whole);
      await truncate(journal, length);
      if (length % 2 === 1) await writeFile(journal, Buffer.concat([whole.subarray(0, length), Buffer.alloc(4096)]));
      const reopened = await place.open(length % 2 === 1 ? {} : { onNote: (note) => assert.fail(note) });
      const durable = reopened.position(STREAM)?.durableLsn ?? NO_LSN;
      const expected = ends.filter((_, index) => length >= entryEnd(whole, index)).at(-1) ?? first;
      assert.equal(durable, expected, `cut at ${length}`);
      assert.equal((await stat(journal)).size <= length, true);
      await appendAll(
        reopened,
        list.filter(({ endLsn }) => endLsn > durable),
      );
      assert.deepEqual(
        await readWal(reopened, NO_LSN, lsn(START + 1_400_000n)),
        madeWal(lsn(START), lsn(START + 1_400_000n)),
      );
      assert.deepEqual(await readFile(journal), whole);
      await place.close();
    }
  });

  it('sets aside what lies behind damage and goes on before it', async () => {
    const store = await place.open();
    const list = changeSets(START, START + 900_000n, 50_000);
    await appendAll(store, list);
    await place.close();
    const journal = join(place.path, journalSegmentPath(STREAM, SEGMENTS[0]));
    const damaged = await readFile(journal);
    damaged.writeUInt8(damaged.readUInt8(entryEnd(damaged, 3) + 500) ^ 1, entryEnd(damaged, 3) + 500);
    await writeFile(journal, damaged);
    const notes: string[] = [];
    const reopened = await place.open({ onNote: (note) => notes.push(note) });
    assert.equal(reopened.position(STREAM)?.durableLsn, START + 200_000n);
    assert.equal(notes.length, 1);
    assert.deepEqual(await readFile(`${journal}.damaged-${entryEnd(damaged, 3)}`), damaged);
    await appendAll(reopened, list.slice(4));
    assert.deepEqual(
      await readWal(reopened, NO_LSN, lsn(START + 900_000n)),
      madeWal(lsn(START), lsn(START + 900_000n)),
    );
  });

  it('goes no further than a hole inside of a file, and takes one between two for a hole to be filled', async () => {
    const store = await place.open();
    const list = changeSets(START, START + 1_500_000n, 100_000);
    await appendAll(store, list);
    await store.finished();
    await place.close();
    const journal = join(place.path, journalSegmentPath(STREAM, SEGMENTS[1]));
    const whole = await readFile(journal);
    await writeFile(
      journal,
      Buffer.concat([whole.subarray(0, entryEnd(whole, 1)), whole.subarray(entryEnd(whole, 2))]),
    );
    const first = START + BigInt(SEGMENT_BYTES);
    let reopened = await place.open();
    assert.equal(reopened.position(STREAM)?.durableLsn, first + 200_000n);
    await appendAll(
      reopened,
      list.filter(({ startLsn }) => startLsn >= first + 200_000n),
    );
    await place.close();
    await rm(join(place.path, walSegmentPath(STREAM, SEGMENTS[0])));
    await writeFile(join(place.path, journalSegmentPath(STREAM, SEGMENTS[0])), '');
    reopened = await place.open();
    assert.deepEqual(reopened.position(STREAM)?.runs, [{ startLsn: first, endLsn: START + 1_500_000n }]);
    await assert.rejects(appendAll(reopened, list), hasCode('TM-WAL-006'));
    reopened.allowHoleBefore(STREAM, lsn(START));
    await appendAll(reopened, list);
    assert.deepEqual(reopened.position(STREAM)?.runs, [{ startLsn: START, endLsn: START + 1_500_000n }]);
    assert.deepEqual(
      await readWal(reopened, NO_LSN, lsn(START + 1_500_000n)),
      madeWal(lsn(START), lsn(START + 1_500_000n)),
    );
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

  it('counts nothing as durable that goes to a file which somebody deleted', async () => {
    const path = join(place.path, journalSegmentPath(STREAM, SEGMENTS[0]));
    const found: string[] = [];
    const sleep = async (_: number, signal?: AbortSignal): Promise<void> => {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
    };
    const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep };
    const store = await place.open({
      clock,
      onProblem: (_, problem) => found.push(problem?.code ?? ''),
    });
    const [first, second] = changeSets(START, START + 20_000n, 10_000);
    assert.ok(first !== undefined && second !== undefined);
    await store.append(STREAM, SEGMENT_BYTES, first);
    await rm(path);
    const refused = store.append(STREAM, SEGMENT_BYTES, second).then(
      () => 'durable',
      (error: unknown) => (error as TidemarkError).code,
    );
    // Once for the file that is gone, and again for the one that was made in its place.
    while (found.length < 2) await new Promise(setImmediate);
    assert.deepEqual([...new Set(found)], ['TM-REPO-003']);
    assert.equal(store.position(STREAM)?.durableLsn, first.endLsn);
    await place.close();
    assert.equal(await refused, 'TM-RPC-001');
    assert.equal((await place.open()).position(STREAM), null);
  });

  it('says so when a file has become shorter, instead of looking for the rest for ever', async () => {
    let store = await place.open();
    const list = changeSets(START, START + BigInt(SEGMENT_BYTES) + 10n, 128 * 1024);
    await appendAll(store, list);
    await store.finished();
    store = await place.open();
    const [first, second] = list;
    assert.ok(first !== undefined && second !== undefined);
    const object = join(place.path, walSegmentPath(STREAM, SEGMENTS[0]));
    await truncate(object, Math.round((await stat(object)).size / 8));
    assert.equal((await readWal(store, NO_LSN, first.endLsn)).length, 128 * 1024);
    await assert.rejects(readWal(store, second.startLsn, second.endLsn), hasCode('TM-REPO-003'));
  });

  it('waits for room, acknowledges nothing meanwhile, and goes on from memory', async () => {
    let failing: 'write' | 'sync' | null = null;
    const openFile = async (path: string, flags: number, mode: number): Promise<FileHandle> => {
      const handle = await open(path, flags, mode);
      const writev = handle.writev.bind(handle);
      const datasync = handle.datasync.bind(handle);
      handle.writev = (async (buffers: readonly NodeJS.ArrayBufferView[], position?: number) => {
        if (failing !== 'write') return writev(buffers, position);
        // As a full disk does it: a part is written.
        await handle.write((buffers[0] as Buffer).subarray(0, 30), 0, 30, position ?? null);
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC', syscall: 'write' });
      }) as typeof handle.writev;
      handle.datasync = async () => {
        if (failing === 'sync') throw Object.assign(new Error('i/o error'), { code: 'EIO', syscall: 'fsync' });
        await datasync();
      };
      return handle;
    };
    const problems: (string | null)[] = [];
    const resume: (() => void)[] = [];
    const clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      sleep: () => new Promise<void>((resolve) => resume.push(resolve)),
    };
    const store = await place.open({
      openFile,
      clock,
      onProblem: (_, problem) => problems.push(problem?.code ?? null),
    });
    const list = changeSets(START, START + 1_300_000n, 100_000);
    await appendAll(store, list.slice(0, 2));
    for (const [kind, code] of [
      ['write', 'TM-REPO-007'],
      ['sync', 'TM-REPO-009'],
    ] as const) {
      failing = kind;
      const from = store.position(STREAM)?.durableLsn ?? NO_LSN;
      let settled = false;
      const appended = appendAll(store, list.filter(({ startLsn }) => startLsn >= from).slice(0, 4)).then(
        () => (settled = true),
      );
      while (resume.length === 0) await new Promise(setImmediate);
      assert.equal(store.problem(STREAM)?.code, code);
      assert.equal(store.position(STREAM)?.durableLsn, from);
      resume.shift()?.();
      while (resume.length === 0) await new Promise(setImmediate);
      assert.equal(settled, false);
      failing = null;
      resume.shift()?.();
      await appended;
      assert.equal(store.problem(STREAM), null);
    }
    assert.deepEqual(problems, ['TM-REPO-007', null, 'TM-REPO-009', null]);
    const { durableLsn } = store.position(STREAM) ?? assert.fail();
    assert.ok(durableLsn >= START + 1_000_000n);
    const reopened = await place.open();
    assert.equal(reopened.position(STREAM)?.durableLsn, durableLsn);
    assert.deepEqual(await readWal(reopened, NO_LSN, durableLsn), madeWal(lsn(START), durableLsn));
  });

  it('rejects what is not durable yet when it is closed, and a copy taken at any moment opens', async () => {
    const store = await place.open();
    const list = changeSets(START, START + 3_000_000n, 20_000);
    let acknowledged = NO_LSN;
    const appends = list.map(async (changeSet) => {
      await store.append(STREAM, SEGMENT_BYTES, changeSet);
      acknowledged = changeSet.endLsn > acknowledged ? changeSet.endLsn : acknowledged;
    });
    const copies: { path: string; acknowledged: Lsn }[] = [];
    const settled = Promise.allSettled(appends);
    try {
      for (let count = 0; count < 3; count++) {
        const path = await mkdtemp(join(tmpdir(), 'tidemark-copy-'));
        copies.push({ path, acknowledged });
        await cp(place.path, path, { recursive: true }).catch(() => {});
      }
      await settled;
      for (const copy of copies) {
        await rm(join(copy.path, '.lock'), { force: true });
        const other = new Place(copy.path);
        const opened = await other.open();
        const position = opened.position(STREAM);
        if (position !== null && position.durableLsn > position.firstLsn) {
          assert.deepEqual(
            await readWal(opened, NO_LSN, position.durableLsn),
            madeWal(position.firstLsn, position.durableLsn),
          );
        }
        await other.close();
      }
      const late = store.append(STREAM, SEGMENT_BYTES, madeChangeSet(START + 3_000_000n, START + 3_000_100n));
      await Promise.all([assert.rejects(late, /closed/), place.close()]);
    } finally {
      for (const { path } of copies) await rm(path, { recursive: true, force: true });
    }
  });
});

/** Where entry `index` of a journal file ends. */
function entryEnd(file: Buffer, index: number): number {
  let offset = 0;
  for (let at = 0; at <= index && offset < file.length; at++) {
    offset += 8 + file.readUInt32LE(offset + 4) + file.readUInt32LE(offset + 52);
  }
  return offset;
}

async function snapshotOf(path: string): Promise<string[]> {
  const files = await readdir(path, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile() && !file.name.startsWith('.'))
    .map((file) => join(file.parentPath, file.name))
    .sort();
}
