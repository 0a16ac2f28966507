import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { madeChangeSet, madeWal } from '../../../support/made-wal.ts';
import {
  STREAM,
  SEGMENT_BYTES,
  START,
  JournalPlace,
  changeSets,
  appendAll,
  readWal,
  hasCode,
} from './journal-place.ts';

describe('the WAL store', () => {
  let place: JournalPlace;

  beforeEach(async () => {
    place = new JournalPlace(await mkdtemp(join(tmpdir(), 'tidemark-journal-')));
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
});
