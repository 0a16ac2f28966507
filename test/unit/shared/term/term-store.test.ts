import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TermStore } from '../../../../shared/term/term-store.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';
import { TemporaryDirectory } from '../../../support/temporary-directory.ts';

describe('term store', () => {
  it('keeps the highest term, over reopening', async () => {
    await using directory = TemporaryDirectory.create('term');
    const file = path.join(directory.path, 'state', 'highest-term');
    const store = await TermStore.open(file);
    assert.equal(store.highest, 0n);
    await Promise.all([7n, 3n, 9n, 8n, 9n].map((term) => store.observe(term)));
    assert.equal(store.highest, 9n);
    assert.equal((await TermStore.open(file)).highest, 9n);
  });

  it('has a term on the disk before it admits a call with it', async () => {
    await using directory = TemporaryDirectory.create('term');
    const file = path.join(directory.path, 'highest-term');
    const store = await TermStore.open(file);
    await store.admit(5n, 'c-east');
    assert.equal(await readFile(file, 'utf8'), '5\n');
    await store.admit(5n, 'c-east');
    await rejectsWithCode(store.admit(4n, 'c-west'), 'TM-LEAD-002');
    assert.throws(() => store.check(4n, 'c-west'), { code: 'TM-LEAD-002' });
    await rejectsWithCode((await TermStore.open(file)).admit(4n, 'c-west'), 'TM-LEAD-002');
  });

  it('refuses a call that a higher one overtook while its own term was written', async () => {
    await using directory = TemporaryDirectory.create('term');
    const store = await TermStore.open(path.join(directory.path, 'highest-term'));
    const results = await Promise.allSettled([3n, 9n, 5n, 9n, 2n].map((term) => store.admit(term, 'x')));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
    );
  });

  it('tries again after a write that failed', async () => {
    await using directory = TemporaryDirectory.create('term');
    const state = directory.subdirectory('state');
    const store = await TermStore.open(path.join(state, 'highest-term'));
    await rm(state, { recursive: true });
    await assert.rejects(store.observe(2n));
    assert.equal(store.highest, 2n);
    directory.subdirectory('state');
    await store.observe(2n);
    assert.equal((await TermStore.open(path.join(state, 'highest-term'))).highest, 2n);
  });

  it('refuses a file that is not a term', async () => {
    await using directory = TemporaryDirectory.create('term');
    const file = path.join(directory.path, 'highest-term');
    for (const content of ['', 'x1', '12', '-1\n', 'x\n', '1\n2\n']) {
      await writeFile(file, content);
      await rejectsWithCode(TermStore.open(file), 'TM-LEAD-004');
    }
  });

  it('tells of every higher term once, before it is durable', async () => {
    await using directory = TemporaryDirectory.create('term');
    const store = await TermStore.open(path.join(directory.path, 'highest-term'));
    const told: bigint[] = [];
    const end = store.onRaised((term) => told.push(term));
    const observed = store.observe(2n);
    assert.deepEqual(told, [2n]);
    await observed;
    await store.observe(2n);
    await store.observe(4n);
    end();
    await store.observe(6n);
    assert.deepEqual(told, [2n, 4n]);
  });
});
