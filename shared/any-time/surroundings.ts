import type { MatcherChoice } from '../cuts/choose-matchers.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { parseTimelineHistory, type TimelineHistory } from '../postgres/timeline-history.ts';
import { historyPath, JOURNAL_PREFIX, NODES_PREFIX } from '../repository/layout.ts';
import { readObject } from '../repository/read-object.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import type { SnapshotCatalogue } from '../repository/snapshot-catalogue.ts';
import type { Snapshot, SnapshotNode } from '../repository/snapshot-manifest.ts';
import { formatTimestamp, hybridTimestamp } from '../timestamp/hybrid-timestamp.ts';
import type { ClockReading } from '../wal/clock-reading.ts';

/** Timestamps may run ahead of the leader's clock by about this much. */
const TIMESTAMP_AHEAD_MS = 10_000;
/** How many manifests are read on each side before the search is given up. */
const MANIFESTS_MAX = 60;
const HISTORY_BYTES_MAX = 1024 * 1024;
/** A server takes the next free number when it is promoted; some may have been used by servers that are gone. */
const TIMELINES_SKIPPED_MAX = 4;

/** A node of the cluster at a time. */
export interface NodeAtTime {
  readonly node: string;
  readonly systemIdentifier: string;
  /** On which some snapshot or WAL of it is. */
  readonly timeline: number;
  /** Null if that is not known yet. */
  readonly segmentBytes: number | null;
}

/** The snapshots around a moment, as far as they say something about it. */
export interface Surroundings {
  /**
   * The newest complete snapshot that lies wholly before the moment, of which no failover took anything back; null if none is found near
   * it.
   */
  readonly base: Snapshot | null;
  readonly nodes: readonly NodeAtTime[];
  /** How the nearest of them told which branches belong together; null if none says so. */
  readonly match: readonly MatcherChoice[] | null;
  /** The nodes' clocks, as the snapshots' collects read them. */
  readonly readings: ReadonlyMap<string, readonly ClockReading[]>;
}

/** Looks for the snapshots around a moment of the leader's time. */
export async function findSurroundings(
  repository: ReadableRepository,
  catalogue: SnapshotCatalogue,
  momentUs: number,
): Promise<Surroundings> {
  const ids = await catalogue.ids();
  const soon = formatTimestamp(hybridTimestamp(Math.ceil(momentUs / 1000) + TIMESTAMP_AHEAD_MS));
  const start = ids.findIndex((id) => id <= soon);
  const near: Snapshot[] = [];
  const histories = new Histories(repository);
  let base: Snapshot | null = null;
  for (const id of start === -1 ? [] : ids.slice(start, start + MANIFESTS_MAX)) {
    const snapshot = await catalogue.get(id);
    near.unshift(snapshot);
    const isBefore = snapshot.complete && snapshot.nodes.every((node) => latestReadUs(node) <= momentUs);
    if (isBefore && (await histories.holdAll(snapshot))) {
      base = snapshot;
      break;
    }
  }
  let later = near.find((snapshot) => isAfter(snapshot, momentUs)) ?? null;
  const newer = start === -1 ? ids : ids.slice(0, start);
  for (const id of newer.reverse().slice(0, later === null ? MANIFESTS_MAX : 0)) {
    const snapshot = await catalogue.get(id);
    near.push(snapshot);
    if (isAfter(snapshot, momentUs)) {
      later = snapshot;
      break;
    }
  }
  const nodes = new Map<string, NodeAtTime>();
  for (const snapshot of [base, later]) {
    for (const { node, systemIdentifier, timeline, walSegmentBytes } of snapshot?.nodes ?? []) {
      nodes.set(node, { node, systemIdentifier, timeline, segmentBytes: walSegmentBytes });
    }
  }
  return {
    base,
    nodes: nodes.size > 0 ? [...nodes.values()] : await listNodes(repository),
    match: (base ?? later)?.match ?? null,
    readings: await readingsOf(near, histories),
  };
}

/** When the node's clock was read at the latest, by the leader's; infinite if it was not. */
export function latestReadUs({ clock }: SnapshotNode): number {
  return clock === undefined ? Infinity : Number(clock.nodeTimeUs + clock.offsetUs + clock.uncertaintyUs);
}

function isAfter(snapshot: Snapshot, momentUs: number): boolean {
  return (
    snapshot.complete &&
    snapshot.nodes.every(
      ({ clock }) => clock !== undefined && Number(clock.nodeTimeUs + clock.offsetUs - clock.uncertaintyUs) > momentUs,
    )
  );
}

async function readingsOf(
  snapshots: readonly Snapshot[],
  histories: Histories,
): Promise<ReadonlyMap<string, readonly ClockReading[]>> {
  const readings = new Map<string, ClockReading[]>();
  for (const { nodes, coordinatorId, term } of snapshots) {
    for (const position of nodes) {
      const { node, clock, sampledLsn } = position;
      if (clock === undefined || !(await histories.hold(position, sampledLsn))) continue;
      const known = readings.get(node) ?? [];
      known.push({ ...clock, atLsn: sampledLsn, coordinatorId, term });
      readings.set(node, known);
    }
  }
  return readings;
}

const WAL_FILE = /^(?:nodes\/([^/]+)\/(\d+)\/wal|journal\/([^/]+)\/(\d+))\/([0-9A-F]{8})\//;

/** Where no snapshot says which nodes there are: all of which there is WAL. */
async function listNodes(repository: ReadableRepository): Promise<NodeAtTime[]> {
  const nodes = new Map<string, NodeAtTime>();
  for (const prefix of [NODES_PREFIX, JOURNAL_PREFIX]) {
    for await (const { path } of repository.list(prefix)) {
      const match = WAL_FILE.exec(path);
      if (match === null) continue;
      const node = match[1] ?? match[3] ?? '';
      const systemIdentifier = match[2] ?? match[4] ?? '';
      const timeline = Number.parseInt(match[5] ?? '', 16);
      const known = nodes.get(node);
      if (known !== undefined && known.systemIdentifier !== systemIdentifier) {
        throw new TidemarkError(
          'TM-SNAP-004',
          `node ${node} was two PostgreSQL systems, and no snapshot tells which when`,
        );
      }
      nodes.set(node, {
        node,
        systemIdentifier,
        timeline: Math.max(timeline, known?.timeline ?? 0),
        segmentBytes: null,
      });
    }
  }
  return [...nodes.values()];
}

/** The nodes' newest histories: what a snapshot says of positions that are not in them is of WAL that a failover took back. */
class Histories {
  readonly #repository: ReadableRepository;
  readonly #known = new Map<string, Promise<TimelineHistory | null>>();

  constructor(repository: ReadableRepository) {
    this.#repository = repository;
  }

  /** Whether they hold a snapshot's whole cut. */
  async holdAll({ nodes }: Snapshot): Promise<boolean> {
    const held = await Promise.all(nodes.map((node) => this.hold(node, node.walEndLsn)));
    return held.every(Boolean);
  }

  /** Whether the node's holds what lies before a position of the timeline that it was on. */
  async hold(node: SnapshotNode, position: Lsn): Promise<boolean> {
    const history = await this.#newest({ ...node, segmentBytes: node.walSegmentBytes });
    if (history === null) return false;
    const left = history.ancestors.find(({ timeline }) => timeline === node.timeline);
    return left === undefined ? history.timeline === node.timeline : position <= left.switchLsn;
  }

  #newest(node: NodeAtTime): Promise<TimelineHistory | null> {
    const id = `${node.node}/${node.systemIdentifier}/${node.timeline}`;
    let known = this.#known.get(id);
    if (known === undefined) {
      known = newestHistory(this.#repository, node).catch((error: unknown) => {
        if (error instanceof TidemarkError && error.code === 'TM-WAL-003') return null;
        throw error;
      });
      this.#known.set(id, known);
    }
    return known;
  }
}

/** The history of the newest timeline that descends from the one on which a node is known to have been. */
export async function newestHistory(repository: ReadableRepository, node: NodeAtTime): Promise<TimelineHistory> {
  let history = await readHistory(repository, node, node.timeline);
  for (let next = node.timeline + 1; next <= (history?.timeline ?? node.timeline) + TIMELINES_SKIPPED_MAX; next++) {
    const later = await readHistory(repository, node, next);
    if (later?.ancestors.some(({ timeline }) => timeline === node.timeline) === true) history = later;
  }
  if (history !== null) return history;
  if (node.timeline === 1) return { timeline: 1, ancestors: [] };
  throw new TidemarkError('TM-WAL-003', `the history of timeline ${node.timeline} of node ${node.node} is not here`);
}

async function readHistory(
  repository: ReadableRepository,
  { node, systemIdentifier }: NodeAtTime,
  timeline: number,
): Promise<TimelineHistory | null> {
  const path = historyPath(node, systemIdentifier, timeline);
  if ((await repository.stat(path)) === null) return null;
  return parseTimelineHistory(timeline, await readObject(repository, path, HISTORY_BYTES_MAX));
}
