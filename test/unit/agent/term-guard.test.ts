import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TermGuard } from '../../../agent/term-guard/term-guard.ts';

describe('TermGuard', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'term-guard-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('refuses a lower term than it has seen, also after a restart', async () => {
    const guard = await TermGuard.open(directory);
    assert.equal(guard.highest, 0n);
    await guard.admit(7n, 'a');
    await guard.admit(7n, 'a');
    await assert.rejects(guard.admit(6n, 'b'), { code: 'TM-LEAD-002' });
    const again = await TermGuard.open(directory);
    assert.equal(again.highest, 7n);
    await assert.rejects(again.admit(6n, 'b'), { code: 'TM-LEAD-002' });
  });

  it('has the highest of many terms that come together on disk', async () => {
    const guard = await TermGuard.open(directory);
    const terms = [3n, 9n, 5n, 9n, 2n];
    const results = await Promise.allSettled(terms.map((term) => guard.admit(term, 'x')));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
    );
    assert.equal((await TermGuard.open(directory)).highest, 9n);
  });

  it('tells of every rise before it is durable', async () => {
    const guard = await TermGuard.open(directory);
    const seen: bigint[] = [];
    guard.onRise(() => seen.push(guard.highest));
    const admitted = guard.admit(4n, 'a');
    assert.deepEqual(seen, [4n]);
    await admitted;
    await guard.admit(4n, 'a');
    assert.deepEqual(seen, [4n]);
  });

  it('does not guess at a damaged file', async () => {
    writeFileSync(path.join(directory, 'highest-term'), 'x1');
    await assert.rejects(TermGuard.open(directory), { code: 'TM-CONFIG-002' });
  });
});
