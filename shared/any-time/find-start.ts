import { NodeClock } from '../cuts/node-clock.ts';
import { advanceLsn, type Lsn } from '../postgres/lsn.ts';
import { segmentStart } from '../postgres/wal-segment.ts';
import type { ClockReading } from '../wal/clock-reading.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { EventScan } from '../wal-index/event-scan.ts';
import type { HeldWal, WalPiece } from './held-wal.ts';
import type { OpenedWal } from './open-held-wal.ts';

/** By the leader's clock. */
export interface StartMoment {
  readonly fromUs: number;
  /**
   * A segment whose first event happened this much before has nothing before it that happened from then on: more than the time by
   * which records can be out of order.
   */
  readonly slackUs: number;
}

interface StartSearch extends StartMoment {
  /** Where to look from; null, or in vain: from the first WAL that is held. */
  readonly anchorLsn: Lsn | null;
  readonly snapshotReadings: readonly ClockReading[];
}

/** Where to read a node's WAL from. */
export interface WalStart {
  /** A segment's start, or that of all WAL that is held. */
  readonly fromLsn: Lsn;
  /** Nothing before it is held. */
  readonly isFirst: boolean;
  /** Those that are open there; null if nothing says so. */
  readonly openBranches: readonly TransactionEvent[] | null;
}

/** A segment before which nothing happened from `fromUs` on, as late as one is found; else the first that is held. */
export async function findStart({ wal, firstLsn }: OpenedWal, search: StartSearch): Promise<WalStart> {
  if (search.anchorLsn !== null) {
    const found = await searchFrom(wal, search.anchorLsn, search);
    if (found !== null) return { ...found, isFirst: false };
  }
  const first = await firstLsn();
  const found = await searchFrom(wal, first, search);
  if (found !== null) return { ...found, isFirst: found.fromLsn === first };
  return { fromLsn: first, isFirst: true, openBranches: (await wal.indexed(first))?.openBranches ?? null };
}

async function searchFrom(
  wal: HeldWal,
  fromLsn: Lsn,
  { fromUs, slackUs, snapshotReadings }: StartSearch,
): Promise<Omit<WalStart, 'isFirst'> | null> {
  const base = segmentStart(fromLsn, wal.segmentBytes);
  const at = (number: number) => advanceLsn(base, BigInt(number) * BigInt(wal.segmentBytes));
  const readings = snapshotReadings.length > 0 ? snapshotReadings : ((await wal.indexed(base))?.clocks ?? []);
  const clock = new NodeClock(wal.node, readings);
  const wantedUs = fromUs - slackUs;
  /** When a segment's first event happened at the latest; null if that is not known. */
  const peek = async (number: number): Promise<number | null> => {
    const timeUs = await wal.peekTimeUs(at(number));
    return typeof timeUs === 'number' && clock.isKnown ? clock.span(Number(at(number)), timeUs).latestUs : null;
  };
  const number = await lastBefore(peek, wantedUs);
  // What was peeked at was not verified, and the segment's own readings may say something else.
  for (let one = number ?? -1; one >= 0; one--) {
    const piece = await wal.indexed(at(one));
    if (piece === null) continue;
    const near = [
      ...(await wal.nearestReadings(at(one), -1)),
      ...piece.clocks,
      ...(await wal.nearestReadings(at(one), 1)),
    ];
    if (firstUs(piece, wal.node, [...readings, ...near]) >= wantedUs) continue;
    return { fromLsn: at(one), openBranches: piece.openBranches };
  }
  return null;
}

/**
 * The last number whose time lies before a wanted one; null if that of 0 does not. Times increase; a number without one counts as too
 * late. WAL is written at about an even rate, so the next guess is where the wanted time would then lie; every third one halves what is
 * left (or doubles, while no end is known), so that an uneven rate costs no more than that.
 */
async function lastBefore(
  timeOf: (number: number) => Promise<number | null>,
  wantedUs: number,
): Promise<number | null> {
  const firstUs = await timeOf(0);
  if (firstUs === null || firstUs >= wantedUs) return null;
  let low = { number: 0, timeUs: firstUs };
  let high: { readonly number: number; readonly timeUs: number | null } | null = null;
  for (let guess = 1, tries = 1; high === null || high.number - low.number > 1; tries++) {
    const timeUs = await timeOf(guess);
    if (timeUs !== null && timeUs < wantedUs) low = { number: guess, timeUs };
    else high = { number: guess, timeUs };
    guess =
      tries % 3 !== 0
        ? nextGuess(low, high, firstUs, wantedUs)
        : high === null
          ? low.number * 2 + 1
          : Math.ceil((low.number + high.number) / 2);
  }
  return low.number;
}

function nextGuess(
  low: { readonly number: number; readonly timeUs: number },
  high: { readonly number: number; readonly timeUs: number | null } | null,
  firstUs: number,
  wantedUs: number,
): number {
  const perNumberUs =
    high !== null && high.timeUs !== null
      ? (high.timeUs - low.timeUs) / (high.number - low.number)
      : (low.timeUs - firstUs) / low.number;
  const steps = perNumberUs > 0 ? Math.floor((wantedUs - low.timeUs) / perNumberUs) : low.number;
  // Beyond the end of what is held nothing has a time: there halving is the best guess.
  const most = high === null ? low.number * 16 + 16 : high.number - 1;
  const middle = high !== null && high.timeUs === null ? Math.ceil((low.number + high.number) / 2) : most;
  return Math.max(low.number + 1, Math.min(low.number + Math.max(1, steps), most, middle));
}

/** When the first event of a piece happened at the latest; infinite if no readings on both sides of it say so. */
function firstUs(piece: WalPiece, node: string, readings: readonly ClockReading[]): number {
  const scan = new EventScan(piece.events);
  if (!scan.nextTimed()) return Infinity;
  const isBefore = ({ atLsn }: ClockReading) => Number(atLsn) <= scan.lsn;
  if (!readings.some(isBefore) || readings.every(isBefore)) return Infinity;
  return new NodeClock(node, readings).span(scan.lsn, scan.timeUs).latestUs;
}
