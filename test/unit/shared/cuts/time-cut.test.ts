import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import type { Cut } from '../../../../shared/cuts/cut.ts';
import { commonStepUs, NodeClock } from '../../../../shared/cuts/node-clock.ts';
import { cutAtTime, type TimeCut } from '../../../../shared/cuts/time-cut.ts';
import { TimeScan } from '../../../../shared/cuts/time-scan.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import {
  scannedEvent,
  START_US,
  timedHistoryArbitrary,
  type TimedEvent,
  type TimedHistory,
} from './simulated-clocks.ts';

const moments = fc.double({ min: 0, max: 1, noNaN: true });

function momentOf(history: TimedHistory, part: number): number {
  return Math.round(START_US + part * (history.endUs - START_US - 20_000));
}

/** What a reader of the copies computes; null where some node was not read past the moment. */
function compute(history: TimedHistory, momentUs: number, fromUs: number | null): TimeCut | null {
  const bare = history.nodes.map((node) => new NodeClock(node, history.readings.get(node) ?? []));
  const stepUs = commonStepUs(bare);
  const nodes = history.nodes.map((node) => {
    const clock = new NodeClock(node, history.readings.get(node) ?? [], stepUs);
    const scan = new TimeScan({ node, timeline: 1, momentUs, clock, fromUs });
    let last = { targetLsn: lsn(1_050n), walEndLsn: lsn(1_060n) };
    for (const event of history.events) {
      // A reader stops as soon as it may.
      if (event.node !== node || scan.passed) continue;
      scan.apply(scannedEvent(event));
      last = { targetLsn: lsn(event.lsn + 30n), walEndLsn: lsn(event.lsn + 50n) };
    }
    scan.end();
    return { scan, clock, readLsn: last.walEndLsn, endPosition: last, fromUs };
  });
  const decided = nodes.every(
    ({ scan, clock, readLsn }) => scan.passed || clock.readAfter(momentUs, Number(readLsn)) !== null,
  );
  return decided ? cutAtTime(momentUs, nodes, [sameGidMatcher]) : null;
}

const isCommit = ({ kind }: TimedEvent) => kind === 'commit' || kind === 'commit-prepared';

function assertTrue(history: TimedHistory, momentUs: number, { cut, class: promise }: TimeCut & { kind: 'cut' }): void {
  const inside = held(history, cut);
  const outside = history.events.filter((event) => !inside.has(event));
  // Closed (R1), by the truth.
  for (const commit of inside) {
    if (commit.kind !== 'commit-prepared') continue;
    for (const event of outside) {
      assert(event.kind !== 'prepare' || event.transaction !== commit.transaction, 'a commit without a PREPARE');
    }
  }
  // Resolved (R2): what is in doubt, and how it ends.
  const committed = new Set([...inside].filter(isCommit).map(({ transaction }) => transaction));
  committed.delete(-1);
  const open = [...inside].filter(
    (event) =>
      event.kind === 'prepare' &&
      ![...inside].some((end) => end.node === event.node && end.xid === event.xid && end.kind !== 'prepare'),
  );
  assert.deepEqual(
    cut.inDoubt.map(({ node, xid, decision }) => `${node} ${xid} ${decision}`).sort(),
    open
      .map(({ node, xid, transaction }) => `${node} ${xid} ${committed.has(transaction) ? 'commit' : 'rollback'}`)
      .sort(),
  );
  // Nothing that is visible after the restore happened later.
  for (const event of inside) assert(!isCommit(event) || event.recordedUs <= momentUs, 'something later than T');
  const boundUs = promise.kind === 'causal' ? 0 : promise.boundUs;
  // Nothing is left out without need: the state at T, or that long before it, is held as a whole.
  for (const event of outside) assert(event.insertedUs > momentUs - boundUs || event.kind === 'prepare');
  const visible = (event: TimedEvent) => isCommit(event) && (inside.has(event) || committed.has(event.transaction));
  if (promise.kind === 'causal') {
    for (const event of history.events.filter(isCommit)) {
      const atMoment = history.events.some(
        (other) => other.insertedUs <= momentUs && isCommit(other) && (other === event || isMate(other, event)),
      );
      assert.equal(visible(event), atMoment, 'not the state at an instant');
    }
  } else {
    for (const earlier of history.events.filter((event) => isCommit(event) && !visible(event))) {
      for (const later of [...inside].filter(isCommit)) {
        if (earlier.insertedUs < later.recordedUs) {
          assert(later.recordedUs - earlier.recordedUs <= boundUs, 'reordered over more than the bound');
        }
      }
    }
  }
}

function isMate(a: TimedEvent, b: TimedEvent): boolean {
  return a.transaction !== -1 && a.transaction === b.transaction;
}

function held(history: TimedHistory, cut: Cut): Set<TimedEvent> {
  const targets = new Map(cut.nodes.map(({ node, targetLsn }) => [node, targetLsn]));
  // The target is inclusive.
  return new Set(history.events.filter((event) => event.lsn <= (targets.get(event.node) ?? 0n)));
}

describe('a cut at a time', () => {
  for (const steps of [false, true]) {
    it(`is closed, holds nothing later and keeps its class, ${steps ? 'also where clocks are set' : 'with clocks apart'}`, () => {
      const seen = { causal: 0, bounded: 0, undecided: 0 };
      fc.assert(
        fc.property(timedHistoryArbitrary({ steps }), moments, (history, part) => {
          const momentUs = momentOf(history, part);
          const result = compute(history, momentUs, null);
          if (result === null) {
            seen.undecided++;
            return;
          }
          assert(result.kind === 'cut');
          seen[result.class.kind]++;
          assertTrue(history, momentUs, result);
        }),
        { numRuns: 500 },
      );
      assert(seen.causal > 30 && seen.bounded > 30, JSON.stringify(seen));
    });
  }

  it('is the same wherever reading begins, or says that it has to begin earlier', () => {
    const seen = { same: 0, earlier: 0 };
    fc.assert(
      fc.property(timedHistoryArbitrary(), moments, moments, (history, part, from) => {
        const momentUs = momentOf(history, part);
        const all = compute(history, momentUs, null);
        fc.pre(all !== null);
        const some = compute(history, momentUs, Math.round(START_US + from * 0.15 * (momentUs - START_US)));
        assert(some !== null);
        seen[some.kind === 'cut' ? 'same' : 'earlier']++;
        if (some.kind === 'read-earlier' || all.kind === 'read-earlier') return;
        assert.deepEqual(
          some.cut.nodes.map(({ targetLsn }) => targetLsn),
          all.cut.nodes.map(({ targetLsn }) => targetLsn),
        );
        assert.deepEqual(some.cut.inDoubt, all.cut.inDoubt);
        assert.deepEqual(some.class, all.class);
      }),
      { numRuns: 500 },
    );
    assert(seen.same > 15 && seen.earlier > 15, JSON.stringify(seen));
  });
});
