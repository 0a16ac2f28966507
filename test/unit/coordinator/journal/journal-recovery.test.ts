import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lsn, NO_LSN, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { journalSegmentPath, walSegmentPath } from '../../../../shared/repository/layout.ts';
import { madeChangeSet, madeWal } from '../../../support/made-wal.ts';
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
  entryEnd,
} from './journal-place.ts';

describe('the WAL store after a crash', () => {
  let place: JournalPlace;

  beforeEach(async () => {
    place = new JournalPlace(await mkdtemp(join(tmpdir(), 'tidemark-journal-')));
  });

  afterEach(async () => {
    await place.close();
    await rm(place.path, { recursive: true, force: true });
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
        const other = new JournalPlace(copy.path);
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
