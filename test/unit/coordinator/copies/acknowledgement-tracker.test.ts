import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { AcknowledgementTracker, type FollowedCopy } from '../../../../coordinator/copies/acknowledgement-tracker.ts';
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

/** Begins to follow as one who holds nothing. */
function follow(copies: AcknowledgementTracker, coordinatorId: string, term = 1n, fromLsn = NO_LSN): FollowedCopy {
  return copies.followed(STREAM, { coordinatorId, dataCenter: CENTERS.get(coordinatorId) ?? '' }, fromLsn, term);
}

/** Whether a position is durable in enough data centres, in the plainest words. */
function isCovered(reported: ReadonlyMap<string, Lsn>, position: Lsn, copiesRequired: number): boolean {
  const holding = [...reported].filter(([, durable]) => durable >= position).map(([id]) => CENTERS.get(id));
  return (reported.get('c1') ?? NO_LSN) >= position && new Set(holding).size >= copiesRequired;
}

describe('the acknowledgement tracker', () => {
  it('acknowledges the highest position that enough data centres hold or held when it was acknowledged', () => {
    const step = fc.record({
      id: fc.constantFrom(...CENTERS.keys()),
      at: fc.integer({ min: 0, max: 30 }),
      kind: fc.constantFrom('says', 'says', 'says', 'comes back', 'goes'),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (required, steps) => {
        const copies = tracker(required);
        copies.lead(1n);
        const calls = new Map([...CENTERS.keys()].slice(1).map((id) => [id, follow(copies, id)]));
        const held = new Map<string, Lsn>();
        let expected = NO_LSN;
        for (const { id, at, kind } of steps) {
          const position = lsn(BigInt(at));
          const before = held.get(id) ?? NO_LSN;
          const call = calls.get(id);
          if (call === undefined || kind === 'says') {
            if (call === undefined) copies.reportOwn(STREAM, position);
            else call.durable(position);
            held.set(id, position > before ? position : before);
          } else if (kind === 'goes') {
            call.ended();
          } else {
            // What is said in the call before comes too late.
            calls.set(id, follow(copies, id, 1n, position));
            call.durable(lsn(99n));
            call.ended();
            held.set(id, position < before ? position : before);
            assert.equal(copies.copies(STREAM).find(({ coordinatorId }) => coordinatorId === id)?.connected, true);
          }
          const covered = [...held.values()].filter((one) => one > expected && isCovered(held, one, required));
          expected = covered.reduce((a, b) => (a > b ? a : b), expected);
          assert.equal(copies.acknowledged(STREAM), expected);
        }
      }),
    );
  });

  it('counts a copy that comes back with less for what it has', () => {
    const copies = tracker(3);
    copies.lead(1n);
    copies.reportOwn(STREAM, lsn(150n));
    follow(copies, 'c2').durable(lsn(140n));
    const north = follow(copies, 'c4');
    north.durable(lsn(100n));
    assert.equal(copies.acknowledged(STREAM), 100n);
    const returned = follow(copies, 'c2');
    north.durable(lsn(140n));
    assert.equal(copies.acknowledged(STREAM), 100n, 'the copy of c2 is gone');
    returned.durable(lsn(120n));
    assert.equal(copies.acknowledged(STREAM), 120n);
  });

  it('counts two coordinators of one data centre once', () => {
    const copies = tracker(3);
    copies.lead(1n);
    copies.reportOwn(STREAM, lsn(100n));
    follow(copies, 'c2').durable(lsn(100n));
    follow(copies, 'c3').durable(lsn(100n));
    assert.equal(copies.acknowledged(STREAM), NO_LSN);
    follow(copies, 'c4').durable(lsn(70n));
    assert.equal(copies.acknowledged(STREAM), 70n);
  });

  it('counts nothing from another term, from before it led, or while it does not lead', () => {
    const copies = tracker(2);
    copies.reportOwn(STREAM, lsn(10n));
    copies.lead(5n);
    follow(copies, 'c2', 4n).durable(lsn(10n));
    assert.equal(copies.acknowledged(STREAM), NO_LSN);
    copies.reportOwn(STREAM, lsn(10n));
    assert.equal(copies.acknowledged(STREAM), NO_LSN);
    follow(copies, 'c2', 5n).durable(lsn(10n));
    assert.equal(copies.acknowledged(STREAM), 10n);
    copies.resign(4n);
    assert.equal(copies.term, 5n);
    copies.resign(5n);
    copies.reportOwn(STREAM, lsn(20n));
    follow(copies, 'c2', 5n).durable(lsn(20n));
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
    follow(copies, 'c2').durable(lsn(15n));
    follow(copies, 'c2').durable(lsn(25n));
    await waiting;
    assert.deepEqual(heard, [15n, 20n]);
  });

  it('waits for an object in enough data centres', async () => {
    const copies = tracker(2);
    const waiting = copies.waitForObject('snapshots/a.json', new AbortController().signal);
    copies.objectStored('snapshots/a.json', { coordinatorId: 'c2', dataCenter: 'west' });
    copies.objectStored('snapshots/a.json', { coordinatorId: 'c3', dataCenter: 'west' });
    assert.deepEqual(copies.objectCopies('snapshots/a.json'), ['west']);
    copies.objectStored('snapshots/a.json', { coordinatorId: 'c1', dataCenter: 'east' });
    assert.deepEqual(await waiting, ['east', 'west']);
    copies.objectsLost('c2');
    assert.deepEqual(copies.objectCopies('snapshots/a.json'), ['east', 'west']);
    copies.objectsLost('c3');
    assert.deepEqual(copies.objectCopies('snapshots/a.json'), ['east']);
  });

  it('keeps what a copy holds when its follower goes away', () => {
    const copies = tracker(2);
    copies.lead(1n);
    const west = follow(copies, 'c2');
    west.durable(lsn(25n));
    west.ended();
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
