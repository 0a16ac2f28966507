import { sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { commonStepUs, NodeClock } from '../../../../shared/cuts/node-clock.ts';
import { cutAtTime, type TimeCut } from '../../../../shared/cuts/time-cut.ts';
import { TimeScan } from '../../../../shared/cuts/time-scan.ts';
import { lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { scannedEvent, START_US, type TimedHistory } from './simulated-clocks.ts';

/** A moment of a history: 0 its beginning, 1 its last event. */
export function momentOf(history: TimedHistory, part: number): number {
  return Math.round(START_US + part * (history.endUs - START_US - 20_000));
}

/** What a reader of the copies computes; null where some node was not read past the moment. */
export function computeAtTime(history: TimedHistory, momentUs: number, fromUs: number | null): TimeCut | null {
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
    return { scan, clock, readLsn: last.walEndLsn, endPosition: last, fromUs, beganLsn: NO_LSN };
  });
  const decided = nodes.every(
    ({ scan, clock, readLsn }) => scan.passed || clock.readAfter(momentUs, Number(readLsn)) !== null,
  );
  return decided ? cutAtTime(momentUs, nodes, [sameGidMatcher]) : null;
}
