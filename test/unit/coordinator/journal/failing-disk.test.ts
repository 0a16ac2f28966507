import assert from 'node:assert/strict';
import { mkdtemp, open, rm, stat, truncate, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localIndexer, type SegmentIndexer } from '../../../../coordinator/journal/segment-indexer.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { journalSegmentPath, walSegmentPath } from '../../../../shared/repository/layout.ts';
import { madeWal } from '../../../support/made-wal.ts';
import {
  STREAM,
  SEGMENT_BYTES,
  START,
  SEGMENTS,
  JournalPlace,
  changeSets,
  appendAll,
  readWal,
  hasCode,
} from './journal-place.ts';

describe('the WAL store on a failing disk', () => {
  let place: JournalPlace;

  beforeEach(async () => {
    place = new JournalPlace(await mkdtemp(join(tmpdir(), 'tidemark-journal-')));
  });

  afterEach(async () => {
    await place.close();
    await rm(place.path, { recursive: true, force: true });
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

  it('tells once why a segment cannot be finished, however often that is tried', async () => {
    let isFull = true;
    const tries: number[] = [];
    const indexer: SegmentIndexer = {
      index: async (segment) => {
        tries.push(tries.length);
        if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC', syscall: 'write' });
        return await localIndexer.index(segment);
      },
    };
    const problems: (string | null)[] = [];
    const sleep = () => new Promise<void>((resolve) => setImmediate(resolve));
    const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep };
    const store = await place.open({ indexer, clock, onProblem: (_, problem) => problems.push(problem?.code ?? null) });
    await appendAll(store, changeSets(START, START + BigInt(SEGMENT_BYTES) + 10n, 128 * 1024));
    while (tries.length < 3) await new Promise(setImmediate);
    assert.deepEqual(problems, ['TM-REPO-007']);
    isFull = false;
    await store.finished();
    assert.deepEqual(problems, ['TM-REPO-007', null]);
  });

  it('waits for room, acknowledges nothing meanwhile, and goes on from memory', async () => {
    let failing: 'write' | 'sync' | null = null;
    const openFile = async (path: string, flags: number, mode: number): Promise<FileHandle> => {
      const handle = await open(path, flags, mode);
      const writev = handle.writev.bind(handle);
      handle.writev = (async (buffers: readonly NodeJS.ArrayBufferView[], position?: number) => {
        if (failing === 'write') {
          // As a full disk does it: a part is written.
          await handle.write((buffers[0] as Buffer).subarray(0, 30), 0, 30, position ?? null);
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC', syscall: 'write' });
        }
        const written = await writev(buffers, position);
        if (failing === 'sync') throw Object.assign(new Error('i/o error'), { code: 'EIO', syscall: 'write' });
        return written;
      }) as typeof handle.writev;
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
});
