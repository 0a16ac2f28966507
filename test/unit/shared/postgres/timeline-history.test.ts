import assert from 'node:assert/strict';
import { lsn, parseLsn } from '../../../../shared/postgres/lsn.ts';
import { parseTimelineHistory, timelineOf, timelineStart } from '../../../../shared/postgres/timeline-history.ts';

const HISTORY = Buffer.from(
  '1\t0/A000148\tno recovery target specified\n\n# a comment\n2\t0/B000000\tbefore 2026-11-22\n',
);

describe('timeline history', () => {
  it('names the ancestors and where they were left', () => {
    const history = parseTimelineHistory(3, HISTORY);
    assert.deepEqual(history, {
      timeline: 3,
      ancestors: [
        { timeline: 1, switchLsn: parseLsn('0/A000148') },
        { timeline: 2, switchLsn: parseLsn('0/B000000') },
      ],
    });
    assert.equal(timelineStart(history), parseLsn('0/B000000'));
  });

  it('tells the timeline of a position', () => {
    const history = parseTimelineHistory(3, HISTORY);
    assert.equal(timelineOf(history, lsn(0n)), 1);
    assert.equal(timelineOf(history, parseLsn('0/A000147')), 1);
    assert.equal(timelineOf(history, parseLsn('0/A000148')), 2);
    assert.equal(timelineOf(history, parseLsn('0/B000000')), 3);
  });

  it('is empty for timeline 1', () => {
    const history = parseTimelineHistory(1, Buffer.alloc(0));
    assert.deepEqual(history.ancestors, []);
    assert.equal(timelineStart(history), 0n);
    assert.equal(timelineOf(history, lsn(5n)), 1);
  });

  it('refuses what is not one', () => {
    for (const [timeline, text] of [
      [2, ''],
      [2, 'hello'],
      [2, '1 0/XYZ'],
      [2, '2\t0/A000148\tits own'],
      [3, '2\t0/A000148\n1\t0/B000000'],
      [3, '1\t0/B000000\n2\t0/A000148'],
      [0, ''],
    ] as const) {
      assert.throws(() => parseTimelineHistory(timeline, Buffer.from(text)), { code: 'TM-WAL-002' }, text);
    }
  });
});
