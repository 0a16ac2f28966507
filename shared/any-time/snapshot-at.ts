import { createHash } from 'node:crypto';
import { chooseMatchers, type MatcherChoice } from '../cuts/choose-matchers.ts';
import { latestInstant } from '../cuts/latest-instant.ts';
import { cutAtTime, type TimeCutNode } from '../cuts/time-cut.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, lsn } from '../postgres/lsn.ts';
import type { ReadableRepository } from '../repository/repository.ts';
import type { SnapshotCatalogue } from '../repository/snapshot-catalogue.ts';
import type { Snapshot, SnapshotNode } from '../repository/snapshot-manifest.ts';
import { isoTime } from './iso-time.ts';
import { findPrepared, lookUp } from './look-up.ts';
import { openHeldWal, type OpenedWal } from './open-held-wal.ts';
import { clocksOf, loadNode, scanNode, type Beginning, type LoadedNode } from './read-node.ts';
import { findSurroundings, type NodeAtTime, type Surroundings } from './surroundings.ts';

/** A snapshot this near is begun at; from farther away less is read by beginning shortly before the moment. */
const BASE_NEAR_US = 60_000_000;
const LOOK_BACK_US = 5_000_000;
/** Past a step of the leader's clock, and to the next reading. */
const STEP_SLACK_US = 2_000_000;

export interface SnapshotAtOptions {
  readonly repository: ReadableRepository;
  readonly catalogue: SnapshotCatalogue;
  /** How the branches of one transaction are told, where no snapshot around the moment says so. */
  readonly match: readonly MatcherChoice[];
  /** How long before the moment reading begins where no snapshot is near; default 5 s. */
  readonly lookBackUs?: number;
}

/**
 * The cluster at a moment of the leader's time, computed from what a copy holds: a snapshot that nobody took, of the greatest closed
 * cut that holds nothing later. It is not written anywhere. The same copy gives the same again. Where the clocks leave the order of some
 * commits open, it names the last moment before, if there is one near, that does not.
 * @param momentUs microseconds since 1970-01-01 UTC
 * @throws TidemarkError TM-SNAP-004 if it cannot be told: too early, too late, or something is missing
 */
export async function snapshotAt(options: SnapshotAtOptions, momentUs: number): Promise<Snapshot> {
  const opened = new OpenedNodes(options.repository);
  const { snapshot, instantUs } = await computeAt(options, opened, momentUs);
  if (snapshot.class.kind === 'causal' || instantUs === null) return snapshot;
  // Fewer readings may be looked at for the earlier moment: what is named is what would be given.
  const before = await computeAt(options, opened, instantUs).catch((error: unknown) => {
    if (error instanceof TidemarkError && error.code === 'TM-SNAP-004') return null;
    throw error;
  });
  return before?.snapshot.class.kind === 'causal' ? { ...snapshot, causalBeforeUs: BigInt(instantUs) } : snapshot;
}

/** A snapshot at a moment, and the last moment not after it that its clocks leave nothing open at. */
interface Computed {
  readonly snapshot: Snapshot;
  readonly instantUs: number | null;
}

/** The WAL of the nodes, with what was read of it last: two moments that are near each other lie in the same segments. */
class OpenedNodes {
  readonly #repository: ReadableRepository;
  readonly #opened = new Map<string, Promise<OpenedWal>>();

  constructor(repository: ReadableRepository) {
    this.#repository = repository;
  }

  open(node: NodeAtTime): Promise<OpenedWal> {
    const id = [node.node, node.systemIdentifier, node.timeline, node.segmentBytes].join('/');
    const opened = this.#opened.get(id) ?? openHeldWal(this.#repository, node);
    this.#opened.set(id, opened);
    return opened;
  }
}

async function computeAt(options: SnapshotAtOptions, nodes: OpenedNodes, momentUs: number): Promise<Computed> {
  const { repository, catalogue } = options;
  const surroundings = await findSurroundings(repository, catalogue, momentUs);
  if (surroundings.nodes.length === 0) {
    throw new TidemarkError('TM-SNAP-004', `there is no WAL of any node in ${repository.name}`);
  }
  const opened = await Promise.all(surroundings.nodes.map((node) => nodes.open(node)));
  const lookBackUs = options.lookBackUs ?? LOOK_BACK_US;
  const matchers = chooseMatchers(surroundings.match ?? options.match);
  const base = usableBase(surroundings);
  let beginning: Beginning =
    base !== null && momentUs - Number(base.timeUs) <= BASE_NEAR_US
      ? { kind: 'snapshot', snapshot: base }
      : { kind: 'moment', fromUs: momentUs - lookBackUs, slackUs: lookBackUs / 5 };
  for (;;) {
    const { loaded, scanned } = await readPast(opened, surroundings, momentUs, beginning);
    const lookedUp = new Set<string>();
    let result = cutAtTime(momentUs, scanned, matchers);
    while (result.kind === 'look-up') {
      const { unsettled } = result;
      const keys = new Set(unsettled.map(({ key }) => key));
      const preparedUs = await Promise.all(unsettled.map(({ branch }) => findPrepared(opened, branch)));
      const start = { fromUs: Math.min(...preparedUs) - lookBackUs, slackUs: lookBackUs / 5 };
      for (const [index, one] of opened.entries()) {
        const node = scanned[index];
        const snapshotReadings = surroundings.readings.get(one.wal.node) ?? [];
        if (node !== undefined) await lookUp(one, node, { keys, matchers, start, base, snapshotReadings });
      }
      for (const key of keys) lookedUp.add(key);
      result = cutAtTime(momentUs, scanned, matchers, lookedUp);
    }
    if (result.kind === 'cut') {
      const snapshot = toSnapshot(momentUs, surroundings.base, loaded, scanned, result);
      const scans = scanned.map(({ scan }) => scan);
      return { snapshot, instantUs: latestInstant(momentUs, scans) };
    }
    const fromUs = Math.min(result.fromUs - lookBackUs, 2 * result.fromUs - momentUs);
    // The snapshot says what was decided until then.
    beginning =
      base !== null && Number(base.timeUs) >= fromUs
        ? { kind: 'snapshot', snapshot: base }
        : { kind: 'moment', fromUs, slackUs: lookBackUs / 5 };
  }
}

/** What a snapshot that lacks a node forgot may belong together with what is open on that node. */
function usableBase({ base, nodes }: Surroundings): Snapshot | null {
  return base !== null && nodes.every(({ node }) => base.nodes.some((one) => one.node === node)) ? base : null;
}

async function readPast(
  opened: readonly OpenedWal[],
  surroundings: Surroundings,
  momentUs: number,
  beginning: Beginning,
): Promise<{ readonly loaded: readonly LoadedNode[]; readonly scanned: readonly TimeCutNode[] }> {
  for (let untilUs = momentUs; ;) {
    const loaded = await Promise.all(
      opened.map((one) =>
        loadNode(one, {
          beginning,
          anchor: surroundings.base,
          snapshotReadings: surroundings.readings.get(one.wal.node) ?? [],
          untilUs,
        }),
      ),
    );
    const clocks = clocksOf(loaded);
    const scanned = loaded.flatMap((node, index) => {
      const clock = clocks[index];
      return clock === undefined ? [] : [scanNode(node, momentUs, clock)];
    });
    const undecided = scanned.filter(
      ({ scan, clock, readLsn }) => !isDecided(scan.passed, clock.readAfter(momentUs, Number(readLsn))),
    );
    if (undecided.length === 0) return { loaded, scanned };
    if (untilUs > momentUs || clocks.every(({ stepUs }) => stepUs === 0)) throw notDecided(momentUs, undecided);
    // Readings across a step count for less: one more is asked for.
    untilUs = momentUs + Math.max(...clocks.map(({ stepUs }) => stepUs)) + STEP_SLACK_US;
  }
}

/** Everything that was written on the node by the moment was read: R3. */
function isDecided(passed: boolean, readAfter: number | null): boolean {
  return passed || readAfter !== null;
}

function notDecided(momentUs: number, undecided: readonly TimeCutNode[]): TidemarkError {
  const [last] = undecided
    .map(({ scan, clock, readLsn }) => ({
      node: scan.node,
      readLsn,
      untilUs: Math.max(scan.seenUntilUs, clock.readUntilUs(Number(readLsn)) ?? -Infinity),
    }))
    .sort((a, b) => a.untilUs - b.untilUs);
  if (last === undefined || !Number.isFinite(last.untilUs)) {
    return new TidemarkError('TM-SNAP-004', `the state at ${isoTime(momentUs)} cannot be told: no clock was read`);
  }
  const latest = isoTime(last.untilUs - 1);
  return new TidemarkError(
    'TM-SNAP-004',
    `the state at ${isoTime(momentUs)} cannot be told yet: node ${last.node} is held up to ${formatLsn(last.readLsn)}, which was written at ${latest}`,
    { hint: `The latest time that can be told here is ${latest}.`, retryable: true },
  );
}

function toSnapshot(
  momentUs: number,
  nearest: Snapshot | null,
  loaded: readonly LoadedNode[],
  scanned: readonly TimeCutNode[],
  { cut, class: snapshotClass }: ReturnType<typeof cutAtTime> & { readonly kind: 'cut' },
): Snapshot {
  const nodes = cut.nodes.map((position, index): SnapshotNode => {
    const { wal } = loaded[index] ?? {};
    if (wal === undefined) throw new TidemarkError('TM-INTERNAL-001', `node ${position.node} of a cut was not read`);
    return {
      node: position.node,
      systemIdentifier: wal.systemIdentifier,
      // Recovery to a position before a fork may go on over it for what it has to read.
      timeline: wal.timelineOf(lsn(position.walEndLsn - 1n)),
      targetLsn: position.targetLsn,
      walEndLsn: position.walEndLsn,
      walSegmentBytes: wal.segmentBytes,
      sampledLsn: scanned[index]?.readLsn ?? position.walEndLsn,
      sampled: true,
    };
  });
  return {
    id: idOf(momentUs, nodes),
    timeUs: BigInt(momentUs),
    label: '',
    class: snapshotClass,
    complete: true,
    cluster: nearest?.cluster ?? '',
    coordinatorId: nearest?.coordinatorId ?? '',
    term: nearest?.term ?? 0n,
    nodes,
    inDoubt: cut.inDoubt,
    broken: cut.broken,
  };
}

const COMPUTED_PREFIX = 'at-';

/** Whether it was computed for a time: then there is no manifest of it. */
export function isComputed({ id }: Pick<Snapshot, 'id'>): boolean {
  return id.startsWith(COMPUTED_PREFIX);
}

/** Of the time and the cut, so that a restore that is given again goes on, and never with another cut than it began with. */
function idOf(momentUs: number, nodes: readonly SnapshotNode[]): string {
  const time = isoTime(momentUs).replace(/[-:.]/g, '');
  const cut = nodes.map(({ node, timeline, targetLsn }) => `${node} ${timeline} ${formatLsn(targetLsn)}`).sort();
  return `${COMPUTED_PREFIX}${time}-${createHash('sha256').update(cut.join('\n')).digest('hex').slice(0, 6)}`;
}
