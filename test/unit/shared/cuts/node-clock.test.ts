import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { NodeClock } from '../../../../shared/cuts/node-clock.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { ClockReading } from '../../../../shared/wal/clock-reading.ts';

/** Real time is the leader's; the WAL grows by a byte each microsecond. */
const START_US = 1_795_000_000_000_000;
const LENGTH_US = 12_000_000;

/** What is added to the node's clock, by real time. */
type OffsetPath = (atUs: number) => number;

/** A call: when it began and ended, and when in it the clock, then the position were read (0 to 1). */
interface Call {
  readonly gapUs: number;
  readonly tookUs: number;
  readonly clockAt: number;
  readonly positionAt: number;
}

const part = fc.double({ min: 0, max: 1, noNaN: true });

const calls: fc.Arbitrary<readonly Call[]> = fc.array(
  fc.record({
    gapUs: fc.integer({ min: 300_000, max: 1_500_000 }),
    tookUs: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 150, max: 900 }) },
      fc.integer({ min: 2_000, max: 60_000 }),
    ),
    clockAt: part,
    positionAt: part,
  }),
  { minLength: 1, maxLength: 20 },
);

const events = fc.array(fc.record({ atUs: fc.nat(LENGTH_US), delayUs: fc.oneof(fc.nat(900), fc.nat(30_000)) }), {
  minLength: 1,
  maxLength: 40,
});

/** Drifts with changing rates. */
const wandering = fc
  .array(fc.integer({ min: -200, max: 200 }), { minLength: 1, maxLength: 6 })
  .map((ratesPpm): OffsetPath => {
    const pieceUs = LENGTH_US / ratesPpm.length;
    return (atUs) =>
      ratesPpm.reduce((sum, ppm, index) => {
        const inPieceUs = Math.min(pieceUs, Math.max(0, atUs - START_US - index * pieceUs));
        return sum + (inPieceUs * ppm) / 1e6;
      }, 0);
  });

/** Steps of any size, also such as no reading can show. */
const step = fc.record({
  byUs: fc.oneof(fc.integer({ min: -3_000, max: 3_000 }), fc.integer({ min: -6_000_000, max: 6_000_000 })),
  atUs: fc.integer({ min: START_US + 1_000_000, max: START_US + LENGTH_US }),
});

function readingsOf(path: OffsetPath, made: readonly Call[], notIn: number | null): ClockReading[] {
  const readings: ClockReading[] = [];
  let nowUs = START_US;
  for (const { gapUs, tookUs, clockAt, positionAt } of made) {
    const fromUs = nowUs + gapUs;
    nowUs = fromUs + tookUs;
    const clockUs = fromUs + Math.floor(tookUs * clockAt);
    const positionUs = clockUs + Math.floor((nowUs - clockUs) * positionAt);
    const nodeTimeUs = Math.round(clockUs - path(clockUs));
    // A reading tells of its call's whole length, so one in which the clock was set is not told of here.
    if (notIn !== null && notIn > fromUs && notIn <= nowUs) continue;
    readings.push({
      atLsn: lsn(BigInt(positionUs - START_US)),
      nodeTimeUs: BigInt(nodeTimeUs),
      offsetUs: BigInt(Math.round((fromUs + nowUs) / 2) - nodeTimeUs),
      uncertaintyUs: BigInt(Math.ceil(tookUs / 2) + 1),
      coordinatorId: 'east',
      term: 1n,
    });
  }
  return readings;
}

/** Asserts of each event that its span is true. */
function assertSpans(
  path: OffsetPath,
  readings: readonly ClockReading[],
  records: readonly { readonly atUs: number; readonly delayUs: number }[],
): number[] {
  const clock = new NodeClock('a', readings);
  return records.map(({ atUs, delayUs }) => {
    const insertedUs = START_US + atUs;
    const recordedUs = insertedUs - delayUs;
    const span = clock.span(atUs, Math.round(recordedUs - path(recordedUs)));
    assert(span.earliestUs <= insertedUs + 1, `inserted ${span.earliestUs - insertedUs} µs before its span`);
    assert(span.latestUs >= recordedUs - 1, `recorded ${recordedUs - span.latestUs} µs after its span`);
    return span.latestUs - span.earliestUs;
  });
}

describe("a node's clock", () => {
  it('tells true spans while it drifts and is set once, by however little, anywhere', () => {
    fc.assert(
      fc.property(wandering, step, calls, events, (drift, { byUs, atUs }, made, records) => {
        const path: OffsetPath = (us) => drift(us) + (us >= atUs ? byUs : 0);
        const readings = readingsOf(path, made, atUs);
        // What is set before the first or behind the last reading is not seen.
        fc.pre(readings.length > 1 && atUs > START_US + Number(readings[0]?.atLsn));
        fc.pre(atUs < START_US + Number(readings.at(-1)?.atLsn));
        const isSettled = (record: { readonly atUs: number; readonly delayUs: number }) =>
          START_US + record.atUs < atUs || START_US + record.atUs - record.delayUs >= atUs;
        assertSpans(path, readings, records.filter(isSettled));
      }),
      { numRuns: 400, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('tells true spans while it is slewed one way, however fast', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 80_000 }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(-1, 1),
        calls,
        events,
        (ratesPpm, direction, made, records) => {
          const pieceUs = LENGTH_US / ratesPpm.length;
          const path: OffsetPath = (us) =>
            ratesPpm.reduce((sum, ppm, index) => {
              const inPieceUs = Math.min(pieceUs, Math.max(0, us - START_US - index * pieceUs));
              return sum + (direction * inPieceUs * ppm) / 1e6;
            }, 0);
          const readings = readingsOf(path, made, null);
          const [first] = readings;
          const last = readings.at(-1);
          assert(first !== undefined && last !== undefined);
          // In time too: in a slow call the clock was read long before the position.
          const callUs = 60_000;
          const between = records.filter(
            ({ atUs, delayUs }) => atUs - delayUs > Number(first.atLsn) + callUs && atUs < Number(last.atLsn) - callUs,
          );
          assertSpans(path, readings, between);
        },
      ),
      { numRuns: 400, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('is as narrow as its good readings, whatever bad ones lie between', () => {
    const path: OffsetPath = (us) => 40_000 + ((us - START_US) * 20) / 1e6;
    const made = Array.from({ length: 11 }, (_, index) => ({
      gapUs: 1_000_000,
      tookUs: index % 3 === 1 ? 50_000 : 400,
      clockAt: 0.5,
      positionAt: 0,
    }));
    const records = Array.from({ length: 50 }, (_, index) => ({ atUs: 2_500_000 + index * 150_000, delayUs: 10 }));
    const widths = assertSpans(path, readingsOf(path, made, null), records);
    assert(Math.max(...widths) < 1_300, `${Math.max(...widths)} µs`);
  });
});
