import type { BranchMatcher } from '../cuts/branch-matcher.ts';
import { KeyedHistory } from '../cuts/keyed-history.ts';
import { NodeClock } from '../cuts/node-clock.ts';
import type { TimeCutNode } from '../cuts/time-cut.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, NO_LSN, type Lsn } from '../postgres/lsn.ts';
import type { InDoubtDecision, Snapshot } from '../repository/snapshot-manifest.ts';
import type { ClockReading } from '../wal/clock-reading.ts';
import { findStart, type StartMoment } from './find-start.ts';
import type { OpenedWal } from './open-held-wal.ts';
import { pastEvents } from './past-events.ts';

interface LookUpOptions {
  readonly keys: ReadonlySet<string>;
  readonly matchers: readonly BranchMatcher[];
  /** Before anything of these keys that matters. */
  readonly start: StartMoment;
  /** The newest snapshot before; null if there is none. */
  readonly base: Snapshot | null;
  readonly snapshotReadings: readonly ClockReading[];
}

/** When a branch was prepared, at the earliest, by the leader's clock; -Infinity if the clock was not read on both sides of it. */
export async function findPrepared(opened: readonly OpenedWal[], branch: InDoubtDecision): Promise<number> {
  const { node, prepareLsn, preparedAtUs } = branch;
  const wal = opened.find((one) => one.wal.node === node)?.wal;
  if (wal === undefined) return -Infinity;
  const readings = [
    ...(await wal.nearestReadings(prepareLsn, -1)),
    ...((await wal.indexed(prepareLsn))?.clocks ?? []),
    ...(await wal.nearestReadings(prepareLsn, 1)),
  ];
  const isBefore = ({ atLsn }: ClockReading) => atLsn <= prepareLsn;
  if (!readings.some(isBefore) || readings.every(isBefore)) return -Infinity;
  return new NodeClock(node, readings).span(Number(prepareLsn), Number(preparedAtUs)).earliestUs;
}

/**
 * Adds to what was read of a node what its index says of some keys, from a moment on. A mate of a branch ended after the branch was
 * prepared, so nothing before that is needed. The stretch may be long: nothing else of it is held.
 * @throws TidemarkError TM-SNAP-004 if WAL is missing in it
 */
export async function lookUp(opened: OpenedWal, { scan, readLsn }: TimeCutNode, options: LookUpOptions): Promise<void> {
  const { keys, matchers, base, start, snapshotReadings } = options;
  const { wal } = opened;
  const position = base?.nodes.find(({ node }) => node === wal.node);
  const isFromBase = base !== null && position !== undefined && Number(base.timeUs) >= start.fromUs;
  const past = new KeyedHistory(wal.node, scan.history.timeline, keys, matchers);
  let fromLsn: Lsn;
  if (isFromBase) {
    past.startAtSnapshot(base, position.sampledLsn);
    fromLsn = position.targetLsn;
  } else {
    const found = await findStart(opened, { ...start, anchorLsn: position?.targetLsn ?? null, snapshotReadings });
    past.open(found.openBranches ?? []);
    fromLsn = found.fromLsn;
  }
  let endLsn = NO_LSN;
  for await (const piece of pastEvents(wal, fromLsn, isFromBase ? fromLsn : null)) {
    for (const event of piece.events) past.apply(event);
    endLsn = piece.endLsn;
    if (endLsn >= readLsn) break;
  }
  if (endLsn < readLsn) {
    throw new TidemarkError(
      'TM-SNAP-004',
      `WAL of node ${wal.node} is missing at ${formatLsn(endLsn)}: what was decided over branches that were in doubt then cannot be told`,
    );
  }
  scan.history.recall(past.found(), readLsn);
}
