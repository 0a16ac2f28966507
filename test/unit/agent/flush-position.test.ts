import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { FlushPosition } from '../../../agent/change-sets/flush-position.ts';
import { lsn, NO_LSN, type Lsn } from '../../../shared/postgres/lsn.ts';

const SEGMENT_BYTES = 1024 * 1024;
const at = (segment: number, offset: number): Lsn => lsn(BigInt(segment) * BigInt(SEGMENT_BYTES) + BigInt(offset));
const segmentOf = (position: Lsn): bigint => position / BigInt(SEGMENT_BYTES);

describe('FlushPosition', () => {
  it('reports nothing before something was acknowledged', () => {
    assert.equal(new FlushPosition(at(5, 0), at(5, 0), SEGMENT_BYTES, NO_LSN).flushLsn, NO_LSN);
  });

  it('reports what was acknowledged, never less than before', () => {
    const flush = new FlushPosition(at(5, 0), at(5, 0), SEGMENT_BYTES, NO_LSN);
    flush.sent({ endLsn: at(5, 1000), nextRecordLsn: at(5, 900) });
    flush.sent({ endLsn: at(5, 2000), nextRecordLsn: at(5, 2000) });
    flush.acknowledge(at(5, 1000));
    assert.equal(flush.flushLsn, at(5, 1000));
    flush.acknowledge(at(5, 400));
    assert.equal(flush.flushLsn, at(5, 1000));
    flush.acknowledge(at(5, 2000));
    assert.equal(flush.flushLsn, at(5, 2000));
  });

  it('never moves the slot back', () => {
    const flush = new FlushPosition(at(7, 0), at(7, 0), SEGMENT_BYTES, at(6, 500));
    flush.acknowledge(at(5, 1000));
    assert.equal(flush.flushLsn, NO_LSN);
    flush.acknowledge(at(6, 700));
    assert.equal(flush.flushLsn, at(6, 700));
  });

  it('never reports more than was sent', () => {
    const flush = new FlushPosition(at(5, 0), at(5, 0), SEGMENT_BYTES, NO_LSN);
    flush.sent({ endLsn: at(5, 1000), nextRecordLsn: at(5, 1000) });
    flush.acknowledge(at(9, 0));
    assert.equal(flush.flushLsn, at(5, 1000));
  });

  it('keeps the segment in which an unfinished record starts', () => {
    const flush = new FlushPosition(at(5, 0), at(5, 0), SEGMENT_BYTES, NO_LSN);
    flush.sent({ endLsn: at(6, 0), nextRecordLsn: at(5, 900_000) });
    flush.sent({ endLsn: at(6, 500), nextRecordLsn: at(5, 900_000) });
    flush.sent({ endLsn: at(6, 900), nextRecordLsn: at(6, 800) });
    flush.acknowledge(at(6, 0));
    assert.equal(flush.flushLsn, at(5, 900_000));
    flush.acknowledge(at(6, 500));
    assert.equal(flush.flushLsn, at(5, 900_000));
    flush.acknowledge(at(6, 900));
    assert.equal(flush.flushLsn, at(6, 900));
  });

  it('keeps the segment that a resumed stream needs once more', () => {
    const flush = new FlushPosition(at(6, 0), at(5, 900_000), SEGMENT_BYTES, NO_LSN);
    flush.sent({ endLsn: at(6, 500), nextRecordLsn: at(6, 500) });
    flush.acknowledge(at(6, 0));
    assert.equal(flush.flushLsn, at(5, 900_000));
    flush.acknowledge(at(6, 500));
    assert.equal(flush.flushLsn, at(6, 500));
  });

  it('lets whoever resumes at an acknowledged change set read its first record from the start', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 1, max: 900_000 }),
      recordBytes: fc.integer({ min: 0, max: 3_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), fc.infiniteStream(fc.nat(3)), (steps, holds) => {
        const flush = new FlushPosition(at(5, 0), at(5, 0), SEGMENT_BYTES, NO_LSN);
        const waiting: { endLsn: Lsn; nextRecordLsn: Lsn }[] = [];
        let endLsn = at(5, 0);
        let nextRecordLsn = endLsn;
        for (const { bytes, recordBytes } of steps) {
          endLsn = lsn(endLsn + BigInt(bytes));
          // A record ends somewhere in these bytes or goes on behind them.
          const candidate = lsn(endLsn - BigInt(recordBytes % bytes));
          if (recordBytes < 1_000_000) nextRecordLsn = candidate;
          flush.sent({ endLsn, nextRecordLsn });
          waiting.push({ endLsn, nextRecordLsn });
          if (holds.next().value !== 0) continue;
          for (const changeSet of waiting.splice(0)) {
            flush.acknowledge(changeSet.endLsn);
            assert.ok(flush.flushLsn <= changeSet.endLsn);
            assert.ok(segmentOf(flush.flushLsn) <= segmentOf(changeSet.nextRecordLsn));
          }
        }
      }),
    );
  });
});
