import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ByteWriter } from '../../../../shared/wal-index/byte-codec.ts';
import { decodeParts, encodeParts } from '../../../../shared/wal-index/journal-parts.ts';

const content = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

describe("a journal entry's parts", () => {
  it('are given back, beside parts that a later version adds', () => {
    fc.assert(
      fc.property(content, content, content, content, (events, changedBlocks, clocks, unknown) => {
        const parts = { events, changedBlocks, clocks };
        const bytes = encodeParts(parts);
        const later = new ByteWriter();
        later.unsigned(70_000);
        later.bytes(unknown);
        assert.deepEqual(decodeParts(bytes), parts);
        assert.deepEqual(decodeParts(Buffer.concat([later.finish(), bytes])), parts);
        assert.deepEqual(decodeParts(Buffer.concat([bytes, later.finish()])), parts);
      }),
    );
    const nothing = Buffer.alloc(0);
    assert.equal(encodeParts({ events: nothing, changedBlocks: nothing, clocks: nothing }).length, 0);
  });

  it('are refused where they are cut off or there twice', () => {
    const bytes = encodeParts({ events: Buffer.from('e'), changedBlocks: Buffer.from('b'), clocks: Buffer.from('c') });
    for (const length of [1, 2, 4, 5, 7, 8]) {
      assert.throws(() => decodeParts(bytes.subarray(0, length)), { code: 'TM-REPO-003' }, String(length));
    }
    assert.throws(() => decodeParts(Buffer.concat([bytes, bytes])), { code: 'TM-REPO-003' });
  });
});
