import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { AcknowledgementTracker } from '../../../../coordinator/copies/acknowledgement-tracker.ts';
import { lsn, NO_LSN, type Lsn } from '../../../../shared/postgres/lsn.ts';

const STREAM = { node: 'shard1', systemIdentifier: '7', timeline: 1 };
const CENTERS = new Map([
  ['c1', 'east'],
  ['c2', 'west'],
  ['c3', 'west'],
  ['c4', 'north'],
]);

function tracker(copiesRequired: number): AcknowledgementTracker {
  return new AcknowledgementTracker({ coordinatorId: 'c1', dataCenter: 'east', copiesRequired });
}

/** Whether a position is durable in enough data centres, in the plainest words. */
function isCovered(reported: ReadonlyMap<string, Lsn>, position: Lsn, copiesRequired: number): boolean {
  const holding = [...reported].filter(([, durable]) => durable >= position).map(([id]) => CENTERS.get(id));
  return (reported.get('c1') ?? NO_LSN) >= position && new Set(holding).size >= copiesRequired;
}

describe('the acknowledgement tracker', () => {
  it('acknowledges exactly the highest position that enough data centres hold, and never goes back', () => {
    const report = fc.record({ id: fc.constantFrom(...CENTERS.keys()), at: fc.integer({ min: 1, max: 30 }) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(report, { maxLength: 60 }), (required, reports) => {
        const copies = tracker(required);
        copies.lead(1n);
        const reported = new Map<string, Lsn>();
        let before = NO_LSN;
        for (const { id, at } of reports) {
          const position = lsn(BigInt(at));
          if (id === 'c1') copies.reportOwn(STREAM, position);
          else copies.report(STREAM, id, CENTERS.get(id) ?? '', position, 1n);
          if (position > (reported.get(id) ?? NO_LSN)) reported.set(id, position);
          const acknowledged = copies.acknowledged(STREAM);
          assert.ok(acknowledged >= before);
          before = acknowledged;
          const highest = [...reported.values()].filter((one) => isCovered(reported, one, required));
          assert.equal(
            acknowledged,
            highest.reduce((a, b) => (a > b ? a : b), NO_LSN),
          );
        }
      }),
    );
  });

  it('counts two coordinators of one data centre once', () => {
    const copies = tracker(3);
    copies.lead(1n);
    copies.reportOwn(STREAM, lsn(100n));
    copies.report(STREAM, 'c2', 'west', lsn(100n), 1n);
    copies.report(STREAM, 'c3', 'west', lsn(100n), 1n);
    assert.equal(copies.acknowledged(STREAM), NO_LSN);
    copies.report(STREAM, 'c4', 'north', lsn(70n), 1n);
    assert.equal(copies.acknowledged(STREAM), 70n);
  });

  it('counts nothing from another term, from before it led, or while it does not lead', () => {
    const copies = tracker(2);
    copies.reportOwn(STREAM, lsn(10n));
    copies.lead(5n);
    copies.report(STREAM, 'c2', 'west', lsn(10n), 4n);
    assert.equal(copies.acknowledged(STREAM), NO_LSN);
    copies.reportOwn(STREAM, lsn(10n));
    assert.equal(copies.acknowledged(STREAM), NO_LSN);
    copies.report(STREAM, 'c2', 'west', lsn(10n), 5n);
    assert.equal(copies.acknowledged(STREAM), 10n);
    copies.resign(4n);
    assert.equal(copies.term, 5n);
    copies.resign(5n);
    copies.reportOwn(STREAM, lsn(20n));
    copies.report(STREAM, 'c2', 'west', lsn(20n), 5n);
    assert.equal(copies.acknowledged(STREAM), 10n);
    copies.lead(6n);
    copies.reportOwn(STREAM, lsn(30n));
    assert.equal(copies.acknowledged(STREAM), 10n);
  });

  it('wakes those who wait, and lets go of those who give up', async () => {
    const copies = tracker(2);
    copies.lead(1n);
    const heard: Lsn[] = [];
    copies.onAcknowledged((_, acknowledged) => heard.push(acknowledged));
    const giveUp = new AbortController();
    const waiting = copies.waitForAcknowledged(STREAM, lsn(20n), new AbortController().signal);
    const abandoned = copies.waitForAcknowledged(STREAM, lsn(99n), giveUp.signal);
    giveUp.abort(new Error('enough'));
    await assert.rejects(abandoned, /enough/);
    copies.reportOwn(STREAM, lsn(20n));
    copies.report(STREAM, 'c2', 'west', lsn(15n), 1n);
    copies.report(STREAM, 'c2', 'west', lsn(25n), 1n);
    await waiting;
    assert.deepEqual(heard, [15n, 20n]);
  });

  it('waits for an object in enough data centres', async () => {
    const copies = tracker(2);
    const waiting = copies.waitForObject('snapshots/a.json', new AbortController().signal);
    copies.objectStored('snapshots/a.json', 'west');
    copies.objectStored('snapshots/a.json', 'west');
    assert.deepEqual(copies.objectCopies('snapshots/a.json'), ['west']);
    copies.objectStored('snapshots/a.json', 'east');
    assert.deepEqual(await waiting, ['east', 'west']);
  });

  it('keeps what a copy holds when its follower goes away', () => {
    const copies = tracker(2);
    copies.lead(1n);
    copies.report(STREAM, 'c2', 'west', lsn(25n), 1n);
    copies.disconnected(STREAM, 'c2');
    copies.reportOwn(STREAM, lsn(20n));
    assert.equal(copies.acknowledged(STREAM), 20n);
    assert.deepEqual(copies.copies(STREAM)[0], {
      coordinatorId: 'c2',
      dataCenter: 'west',
      durableLsn: 25n,
      connected: false,
    });
  });
});
