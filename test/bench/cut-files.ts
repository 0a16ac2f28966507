import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentName } from '../../shared/postgres/wal-segment.ts';
import { REPOSITORY_MANIFEST_PATH, snapshotPath, walIndexPath, walPrefix } from '../../shared/repository/layout.ts';
import { encodeRepositoryManifest } from '../../shared/repository/repository-manifest.ts';
import { encodeSnapshot } from '../../shared/repository/snapshot-manifest.ts';
import { formatTimestamp, hybridTimestamp } from '../../shared/timestamp/hybrid-timestamp.ts';
import type { ClockReading } from '../../shared/wal/clock-reading.ts';
import type { TransactionEvent, TransactionEventKind } from '../../shared/wal/transaction-event.ts';
import { applyEvents, listOpen, NOTHING_OPEN } from '../../shared/wal-index/open-transactions.ts';
import { encodeSegmentIndex } from '../../shared/wal-index/segment-index.ts';

export const HOUR_US = 3_600_000_000;
export const START_US = Date.UTC(2026, 10, 22, 12) * 1000;
const SEGMENT_BYTES = 16 << 20;
const EVENT_BYTES = 304;
const BEGIN = 0x1000_0000;
/** Of so many events of a node six belong to two distributed transactions, each with the next node. */
const ROUND = 20;

/** Nodes that were at work for an hour, each ending so many transactions, spread evenly. */
export interface MadeHour {
  readonly nodes: number;
  readonly eventsPerNode: number;
}

const nodeName = (index: number) => `node-${index.toString().padStart(2, '0')}`;
const systemOf = (index: number) => `${7_000_000 + index}`;
/** What a node's clock is ahead. */
const aheadUs = (index: number) => ((index * 7919) % 10_000) * 1000 - 5_000_000;

/** Writes the indexes that such a cluster's copy has, and nothing else. @returns their bytes */
export function writeHour(directory: string, hour: MadeHour): number {
  mkdirSync(directory, { recursive: true });
  const manifest = encodeRepositoryManifest({ format: 1, cluster: 'bench', repositoryId: 'bench' });
  writeFileSync(path.join(directory, REPOSITORY_MANIFEST_PATH), manifest);
  let bytes = 0;
  for (let index = 0; index < hour.nodes; index++) bytes += writeNode(directory, hour, index);
  return bytes;
}

function writeNode(directory: string, hour: MadeHour, index: number): number {
  const stream = { node: nodeName(index), systemIdentifier: systemOf(index), timeline: 1 };
  mkdirSync(path.join(directory, walPrefix(stream)), { recursive: true });
  let open = NOTHING_OPEN;
  let bytes = 0;
  const perSegment = Math.floor(SEGMENT_BYTES / EVENT_BYTES);
  for (let first = 0, startLsn = BEGIN; first < hour.eventsPerNode; startLsn += SEGMENT_BYTES) {
    const events: TransactionEvent[] = [];
    const end = startLsn + SEGMENT_BYTES;
    while (first < hour.eventsPerNode && lsnOf(first) + 40 <= end) events.push(eventOf(hour, index, first++));
    const from = events[0];
    const position = lsn(BigInt(startLsn));
    const content = encodeSegmentIndex({
      stream,
      startLsn: position,
      segmentBytes: SEGMENT_BYTES,
      objectBytes: SEGMENT_BYTES,
      nextRecordLsn: lsn(BigInt(end)),
      lastRecordLsn: events.at(-1)?.lsn ?? position,
      frames: Array.from({ length: 16 }, (_, number) => ({
        startLsn: lsn(BigInt(startLsn + number * 2 ** 20)),
        contentBytes: 2 ** 20,
        offsetBytes: number * 2 ** 20,
        frameBytes: 2 ** 20,
        contentSha256: Buffer.alloc(32, 7),
      })),
      events,
      openBranches: listOpen(open),
      changedBlocks: Buffer.alloc(0),
      clocks: from === undefined ? [] : readingsFrom(hour, index, first - events.length, perSegment),
    });
    open = applyEvents(open, events);
    writeFileSync(path.join(directory, walIndexPath(stream, segmentName(1, position, SEGMENT_BYTES))), content);
    bytes += content.length;
  }
  return bytes;
}

const lsnOf = (number: number) => BEGIN + 4096 + number * EVENT_BYTES;

/** True time, which is the leader's. */
function timeOf({ eventsPerNode }: MadeHour, number: number): number {
  return START_US + Math.floor((number * HOUR_US) / eventsPerNode);
}

function eventOf(hour: MadeHour, index: number, number: number): TransactionEvent {
  const at = BigInt(lsnOf(number));
  const place = number % ROUND;
  const round = number - place;
  const part = PARTS[place];
  const left = part?.side === 'right' ? (index + hour.nodes - 1) % hour.nodes : index;
  return {
    kind: part?.kind ?? 'commit',
    lsn: lsn(at),
    endLsn: lsn(at + 40n),
    previousLsn: lsn(at - 100n),
    xid: 1000 + (part === undefined ? number : round + (part.side === 'left' ? 0 : 1)),
    databaseOid: part?.kind === 'prepare' ? 5 : 0,
    timeUs: BigInt(timeOf(hour, number) + index * 11 + aheadUs(index)),
    subxids: [],
    ...(part?.kind === 'prepare' ? { gid: `transfer-${left}-${round}` } : {}),
  };
}

/** A transaction is prepared here and on the next node before it is committed on either. */
const PARTS: Readonly<Record<number, { readonly kind: TransactionEventKind; readonly side: 'left' | 'right' }>> = {
  0: { kind: 'prepare', side: 'left' },
  2: { kind: 'prepare', side: 'right' },
  4: { kind: 'commit-prepared', side: 'left' },
  6: { kind: 'commit-prepared', side: 'right' },
};

function readingAt(hour: MadeHour, index: number, number: number): ClockReading {
  return {
    atLsn: lsn(BigInt(lsnOf(number) - 8)),
    nodeTimeUs: BigInt(timeOf(hour, number) + aheadUs(index)),
    offsetUs: BigInt(-aheadUs(index) + ((number * 31) % 200)),
    uncertaintyUs: 400n,
    coordinatorId: 'bench',
    term: 1n,
  };
}

/** About one a second, and no more than a segment's index may have. */
function readingsFrom(hour: MadeHour, index: number, first: number, count: number): ClockReading[] {
  const step = Math.ceil(Math.max(hour.eventsPerNode / 3600, count / 64));
  const readings: ClockReading[] = [];
  for (
    let number = first;
    number < Math.min(first + count, hour.eventsPerNode) && readings.length < 64;
    number += step
  ) {
    readings.push(readingAt(hour, index, number));
  }
  return readings;
}

/** Declares complete snapshots of the times given, at moments when nothing was prepared. */
export function writeSnapshots(directory: string, hour: MadeHour, timesUs: readonly number[]): void {
  mkdirSync(path.join(directory, path.dirname(snapshotPath('x'))), { recursive: true });
  for (const timeUs of timesUs) {
    const wanted = Math.floor(((timeUs - START_US) / HOUR_US) * hour.eventsPerNode);
    const number = Math.max(ROUND, wanted - (wanted % ROUND)) - ROUND / 2;
    const id = formatTimestamp(hybridTimestamp(Math.floor(timeOf(hour, number) / 1000)));
    const snapshot = encodeSnapshot({
      id,
      timeUs: BigInt(timeOf(hour, number)),
      label: '',
      class: { kind: 'bounded', boundUs: 1000 },
      complete: true,
      cluster: 'bench',
      coordinatorId: 'bench',
      term: 1n,
      nodes: Array.from({ length: hour.nodes }, (_, index) => {
        const sampled = readingAt(hour, index, number + 2);
        const targetLsn: Lsn = lsn(BigInt(lsnOf(number)));
        return {
          node: nodeName(index),
          systemIdentifier: systemOf(index),
          timeline: 1,
          targetLsn,
          walEndLsn: lsn(targetLsn + 40n),
          walSegmentBytes: SEGMENT_BYTES,
          sampledLsn: sampled.atLsn,
          sampled: true,
          clock: {
            nodeTimeUs: sampled.nodeTimeUs,
            offsetUs: sampled.offsetUs,
            uncertaintyUs: sampled.uncertaintyUs,
          },
        };
      }),
      inDoubt: [],
      broken: [],
    });
    writeFileSync(path.join(directory, snapshotPath(id)), snapshot);
  }
}
