import { commonStepUs, NodeClock } from '../cuts/node-clock.ts';
import type { TimeCutNode } from '../cuts/time-cut.ts';
import { TimeScan } from '../cuts/time-scan.ts';
import { carriedDecisions } from '../cuts/carried-decisions.ts';
import type { RecordPosition } from '../cuts/cut.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, NO_LSN, type Lsn } from '../postgres/lsn.ts';
import type { Snapshot } from '../repository/snapshot-manifest.ts';
import type { ClockReading } from '../wal/clock-reading.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { EventScan } from '../wal-index/event-scan.ts';
import { findStart, type StartMoment } from './find-start.ts';
import type { HeldWal, WalPiece } from './held-wal.ts';
import { isoTime } from './iso-time.ts';
import type { OpenedWal } from './open-held-wal.ts';
import { latestReadUs } from './surroundings.ts';

/** More than the time by which records can be out of order: a PREPARE was seen 0.8 ms behind others. */
const ORDER_SLACK_US = 1_000;

/** Where reading begins: at a snapshot's cut, or before everything that happened from a moment on. */
export type Beginning =
  { readonly kind: 'snapshot'; readonly snapshot: Snapshot } | ({ readonly kind: 'moment' } & StartMoment);

/** What was read of one node to compute a cut at a moment. */
export interface LoadedNode {
  readonly wal: HeldWal;
  readonly pieces: readonly WalPiece[];
  readonly readings: readonly ClockReading[];
  /** The last record of the snapshot that it begins at, which is in its cut; null without one. */
  readonly snapshot: Snapshot | null;
  /**
   * The branches that are open where it begins, as an index says that need not be of the pieces: over a failover one segment lies in two
   * timelines, and the older one's part of it was never finished.
   */
  readonly openBranches: readonly TransactionEvent[];
  /** Null if nothing that matters was left out. */
  readonly fromUs: number | null;
  /** It begins with the first WAL that is held. */
  readonly isWhole: boolean;
}

interface LoadOptions {
  readonly beginning: Beginning;
  /** Where to look for the beginning from; null: from the first WAL that is held. */
  readonly anchor: Snapshot | null;
  /** As snapshots' collects read the node's clock. */
  readonly snapshotReadings: readonly ClockReading[];
  /** As the readings of the node's clock tell it; or to the end of what is held. */
  readonly untilUs: number;
}

/** Reads a node's events from a beginning on. */
export async function loadNode(
  opened: OpenedWal,
  { beginning, anchor, snapshotReadings, untilUs }: LoadOptions,
): Promise<LoadedNode> {
  const { wal } = opened;
  const position = positionIn(beginning.kind === 'snapshot' ? beginning.snapshot : anchor, wal.node);
  const start =
    beginning.kind === 'snapshot' && position !== null
      ? { fromLsn: position, isFirst: false, openBranches: null }
      : await findStart(opened, {
          anchorLsn: position,
          snapshotReadings,
          ...(beginning.kind === 'moment' ? beginning : { fromUs: untilUs, slackUs: ORDER_SLACK_US }),
        });
  const pieces: WalPiece[] = [];
  // What lies before the first reading of what is read needs one on its other side too, or a step in between is not seen.
  let readings = [...snapshotReadings, ...(start.isFirst ? [] : await wal.nearestReadings(start.fromLsn, -1))];
  let clock = new NodeClock(wal.node, readings);
  for await (const piece of wal.pieces(start.fromLsn)) {
    // A view would keep the whole file in memory.
    pieces.push({ ...piece, events: Buffer.from(piece.events) });
    if (piece.clocks.length > 0) {
      readings = [...readings, ...piece.clocks];
      clock = new NodeClock(wal.node, readings);
    }
    // What follows a reading that is later was inserted later; what lies before it has a reading on both sides.
    if (clock.readAfter(untilUs, Number(piece.endLsn)) !== null) break;
  }
  return {
    wal,
    pieces,
    readings,
    snapshot: beginning.kind === 'snapshot' ? beginning.snapshot : null,
    openBranches: start.openBranches ?? [],
    fromUs: beginning.kind === 'snapshot' || start.isFirst ? null : beginning.fromUs,
    isWhole: beginning.kind === 'moment' && start.isFirst,
  };
}

function positionIn(snapshot: Snapshot | null, node: string): Lsn | null {
  return snapshot?.nodes.find((position) => position.node === node)?.targetLsn ?? null;
}

/** The clocks of all nodes, each with what a step of the leader's own clock adds. */
export function clocksOf(nodes: readonly LoadedNode[]): readonly NodeClock[] {
  const bare = nodes.map(({ wal, readings }) => new NodeClock(wal.node, readings));
  const stepUs = commonStepUs(bare);
  return stepUs === 0 ? bare : nodes.map(({ wal, readings }) => new NodeClock(wal.node, readings, stepUs));
}

/**
 * Looks at what was read of a node for one moment.
 * @throws TidemarkError TM-SNAP-004 if its WAL begins after the moment, or its clock was never read
 */
export function scanNode(node: LoadedNode, momentUs: number, clock: NodeClock): TimeCutNode {
  const { wal, pieces, snapshot, fromUs } = node;
  const position = snapshot?.nodes.find((one) => one.node === wal.node);
  const timeline = wal.timelineOf(position?.targetLsn ?? pieces[0]?.startLsn ?? NO_LSN);
  const scan = new TimeScan({ node: wal.node, timeline, momentUs, clock, fromUs });
  let seenLsn = 0;
  let readLsn: Lsn = position?.walEndLsn ?? NO_LSN;
  let end: RecordPosition | null = position ?? null;
  if (snapshot !== null && position !== undefined) {
    scan.startAtSnapshot(
      snapshot.inDoubt.filter((branch) => branch.node === wal.node),
      position.sampledLsn,
      carriedDecisions(snapshot, wal.node),
    );
    seenLsn = Number(position.targetLsn);
    scan.beginsAt(latestReadUs(position));
  } else {
    scan.open(node.openBranches);
  }
  let firstUs: number | null = null;
  for (const piece of pieces) {
    if (scan.passed) break;
    const events = new EventScan(piece.events);
    const until = piece.untilLsn === null ? Infinity : Number(piece.untilLsn);
    let last: EventScan | null = null;
    while (!scan.passed && events.next()) {
      // A timeline begins with a copy of what was read before; behind its end lies what never happened.
      if (events.lsn >= until) break;
      const isSeed = events.seeded && position === undefined && piece === pieces[0];
      if (events.seeded ? !isSeed : events.lsn <= seenLsn) continue;
      if (!events.seeded && events.timeUs !== 0) firstUs ??= clock.span(events.lsn, events.timeUs).latestUs;
      scan.apply(events);
      seenLsn = Math.max(seenLsn, events.seeded ? 0 : events.lsn);
      last = events;
    }
    if (piece.endLsn <= readLsn) continue;
    readLsn = scan.passed && last !== null ? lsn(BigInt(last.endLsn)) : piece.endLsn;
    if (piece.lastRecordLsn !== NO_LSN && Number(piece.lastRecordLsn) < until) {
      end = { targetLsn: piece.lastRecordLsn, walEndLsn: piece.endLsn };
    } else if (last !== null) {
      end = { targetLsn: lsn(BigInt(last.lsn)), walEndLsn: lsn(BigInt(last.endLsn)) };
    }
  }
  scan.end();
  if (node.isWhole && firstUs !== null && firstUs > momentUs) {
    throw new TidemarkError('TM-SNAP-004', `the WAL of node ${wal.node} is held from ${isoTime(firstUs)} on`);
  }
  if (node.isWhole && firstUs !== null) scan.beginsAt(firstUs);
  if (end === null) {
    throw new TidemarkError('TM-SNAP-004', `of node ${wal.node} no WAL is held at that time`);
  }
  const heldFromUs = node.isWhole ? firstUs : null;
  const beganLsn = position === undefined ? (pieces[0]?.startLsn ?? NO_LSN) : NO_LSN;
  return { scan, clock, readLsn, endPosition: end, fromUs, heldFromUs, beganLsn };
}
