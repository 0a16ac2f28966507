import assert from 'node:assert/strict';
import { BarrierLog } from '../../../../shared/cuts/barrier-log.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';

const at = (position: number) => lsn(BigInt(position));

/** Barrier n lies between 100 n and 100 n + 10. */
function logOf(count: number): BarrierLog {
  const log = new BarrierLog();
  for (let number = 1; number <= count; number++) {
    log.add({ number, beforeLsn: at(100 * number), afterLsn: at(100 * number + 10) });
  }
  return log;
}

describe('the barriers of a node', () => {
  it('say which lie wholly before a record, and which wholly after', () => {
    const log = logOf(3);
    assert.deepEqual(
      [109, 110, 209, 210, 9999].map((position) => log.newestBefore(at(position))),
      [0, 1, 1, 2, 3],
    );
    assert.deepEqual(
      [0, 99, 100, 199, 299, 300].map((position) => log.oldestAfter(at(position))),
      [1, 1, 2, 2, 3, Infinity],
    );
    assert.equal(new BarrierLog().newestBefore(at(1)), 0);
    assert.equal(new BarrierLog().oldestAfter(at(1)), Infinity);
  });

  it('become fewer where there are many, and stay right', () => {
    const count = 100_000;
    const log = logOf(count);
    for (let number = 64; number < count - 64; number += 97) {
      const before = log.newestBefore(at(100 * number + 50));
      const after = log.oldestAfter(at(100 * number - 50));
      assert(before <= number && before >= number - 64, `${before} before ${number}`);
      assert(after >= number && after <= number + 64, `${after} after ${number}`);
    }
    assert(log.newestBefore(at(100 * count + 50)) > count - 64);
    log.clear();
    assert.equal(log.newestBefore(at(100 * count + 50)), 0);
  });

  it('are forgotten where a timeline left before them', () => {
    const log = logOf(3);
    log.switchTimeline(at(210));
    assert.equal(log.newestBefore(at(9999)), 2);
    assert.equal(log.oldestAfter(at(205)), Infinity);
  });
});
