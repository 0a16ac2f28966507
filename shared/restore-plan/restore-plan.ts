import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import { segmentStart } from '../postgres/wal-segment.ts';
import type { Snapshot, SnapshotNode } from '../repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../wal/change-set.ts';
import { missingFrom } from '../wal/lsn-range.ts';

/** What a plan needs to know of a base backup. */
export interface HeldBackup {
  readonly id: string;
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Where recovery begins reading. */
  readonly startLsn: Lsn;
  /** Recovery must have replayed up to here before the data is consistent. */
  readonly stopLsn: Lsn;
  /** Of the database's files. */
  readonly bytes: number | bigint;
}

/** WAL that is held: every byte of [startLsn, endLsn) of one stream. */
export interface WalRange {
  readonly stream: WalStreamKey;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
}

/** WAL that a leader found to be lost: PostgreSQL did not have it any more, nor any copy that answered. A copy may have got it since. */
export interface DeclaredGap extends WalRange {
  /** Microseconds since 1970-01-01 UTC. */
  readonly declaredAtUs: bigint;
}

/** Where a node's timeline left its parent. */
export interface TimelineFork {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly parentTimeline: number;
  readonly forkLsn: Lsn;
}

/** Everything that a copy holds, as far as a plan asks. */
export interface RestoreInventory {
  readonly backups: readonly HeldBackup[];
  readonly wal: readonly WalRange[];
  readonly forks: readonly TimelineFork[];
  readonly gaps: readonly DeclaredGap[];
}

/** How one node is brought to its cut. */
export interface NodeRestorePlan {
  readonly node: string;
  readonly systemIdentifier: string;
  /** Of the cut. */
  readonly timeline: number;
  readonly backup: HeldBackup;
  /** Start of the first segment needed. */
  readonly walFromLsn: Lsn;
  /** One past the last byte needed. */
  readonly walEndLsn: Lsn;
  readonly targetLsn: Lsn;
  readonly walSegmentBytes: number;
  readonly walBytes: number;
}

export interface RestorePlan {
  readonly snapshot: Snapshot;
  readonly nodes: readonly NodeRestorePlan[];
}

/**
 * Chooses for every node the newest base backup that is consistent before the cut, and proves that the WAL from its start to
 * the cut is held without a gap.
 * @throws TidemarkError TM-RESTORE-001 with everything that is missing, of all nodes
 */
export function planRestore(snapshot: Snapshot, inventory: RestoreInventory): RestorePlan {
  const missing: string[] = snapshot.nodes.length === 0 ? ['the snapshot names no node'] : [];
  const nodes: NodeRestorePlan[] = [];
  for (const position of snapshot.nodes) {
    const result = planNode(position, inventory);
    if (Array.isArray(result)) {
      missing.push(...result.map((what) => `node ${position.node}: ${what}`));
    } else {
      nodes.push(result);
    }
  }
  if (missing.length > 0) {
    throw new TidemarkError('TM-RESTORE-001', `snapshot ${snapshot.id} cannot be restored: ${missing.join('; ')}`);
  }
  return { snapshot, nodes };
}

/** The newest base backup before a node's cut; null if there is none. */
export function newestBackup(
  position: SnapshotNode,
  inventory: Pick<RestoreInventory, 'backups' | 'forks'>,
): HeldBackup | null {
  return usableBackups(position, inventory)[0] ?? null;
}

/** Whether a base backup lies before the cut of every node. Says nothing about WAL. */
export function hasBackups(snapshot: Snapshot, inventory: Pick<RestoreInventory, 'backups' | 'forks'>): boolean {
  return snapshot.nodes.length > 0 && snapshot.nodes.every((position) => usableBackups(position, inventory).length > 0);
}

/** A plan, or what is missing. An older backup needs all WAL that the newest needs, and more, so there is no second choice. */
function planNode(position: SnapshotNode, inventory: RestoreInventory): NodeRestorePlan | string[] {
  const [backup] = usableBackups(position, inventory);
  if (backup === undefined) {
    return [noBackup(position, inventory)];
  }
  const gaps = gapsOf(position, backup, inventory);
  if (gaps.length > 0) {
    return gaps;
  }
  const walFromLsn = segmentStart(backup.startLsn, position.walSegmentBytes);
  return {
    node: position.node,
    systemIdentifier: position.systemIdentifier,
    timeline: position.timeline,
    backup,
    walFromLsn,
    walEndLsn: position.walEndLsn,
    targetLsn: position.targetLsn,
    walSegmentBytes: position.walSegmentBytes,
    walBytes: Number(position.walEndLsn - walFromLsn),
  };
}

/** Newest first. */
function usableBackups(position: SnapshotNode, inventory: Pick<RestoreInventory, 'backups' | 'forks'>): HeldBackup[] {
  const spans = spansTo(position, inventory.forks);
  return inventory.backups
    .filter(
      (backup) =>
        backup.node === position.node &&
        backup.systemIdentifier === position.systemIdentifier &&
        backup.stopLsn <= position.targetLsn &&
        spans.some(
          ({ timeline, endLsn }) => timeline === backup.timeline && (endLsn === null || backup.stopLsn <= endLsn),
        ),
    )
    .sort((a, b) => (a.stopLsn > b.stopLsn ? -1 : 1));
}

function noBackup(position: SnapshotNode, inventory: RestoreInventory): string {
  const known = inventory.backups.filter((backup) => backup.node === position.node);
  const cut = formatLsn(position.targetLsn);
  if (known.length === 0) {
    return 'there is no base backup of it';
  }
  if (known.every((backup) => backup.systemIdentifier !== position.systemIdentifier)) {
    return `its base backups are of another PostgreSQL system than ${position.systemIdentifier}`;
  }
  if (known.some((backup) => backup.stopLsn <= position.targetLsn)) {
    return `no base backup before ${cut} lies in the history of timeline ${position.timeline}`;
  }
  const [first] = known.map((backup) => backup.stopLsn).sort((a, b) => (a < b ? -1 : 1));
  return `no base backup ends at or before its cut ${cut}; the first ends at ${formatLsn(first as Lsn)}`;
}

/** A timeline's part in the history of a position: up to where it was left, which is null for the position's own. */
interface TimelineSpan {
  readonly timeline: number;
  readonly endLsn: Lsn | null;
}

/** The position's own timeline first, then its ancestors as far as they are known. */
function spansTo(position: SnapshotNode, forks: readonly TimelineFork[]): TimelineSpan[] {
  const spans: TimelineSpan[] = [{ timeline: position.timeline, endLsn: null }];
  for (let current = position.timeline; ;) {
    const fork = forks.find(
      (known) =>
        known.node === position.node &&
        known.systemIdentifier === position.systemIdentifier &&
        known.timeline === current &&
        known.parentTimeline < current,
    );
    if (fork === undefined) {
      return spans;
    }
    const before = spans.at(-1)?.endLsn ?? null;
    spans.push({
      timeline: fork.parentTimeline,
      endLsn: before !== null && before < fork.forkLsn ? before : fork.forkLsn,
    });
    current = fork.parentTimeline;
  }
}

/** What of the WAL from the backup to the cut is not held. */
function gapsOf(position: SnapshotNode, backup: HeldBackup, inventory: RestoreInventory): string[] {
  const gaps: string[] = [];
  const { walSegmentBytes } = position;
  let upTo = position.walEndLsn;
  for (const span of spansTo(position, inventory.forks)) {
    const last = span.timeline === backup.timeline;
    const parentEnd = last ? null : forkOf(span, position, inventory.forks);
    // The segment in which a timeline begins holds a copy of its parent's bytes before the fork.
    const fromLsn = last ? backup.startLsn : (parentEnd ?? upTo);
    const startLsn = segmentStart(fromLsn, walSegmentBytes);
    gaps.push(
      ...missingIn(
        { node: position.node, systemIdentifier: position.systemIdentifier, timeline: span.timeline },
        startLsn,
        upTo,
        inventory,
      ),
    );
    if (last) {
      return gaps;
    }
    upTo = startLsn;
    if (upTo <= segmentStart(backup.startLsn, walSegmentBytes)) {
      return gaps;
    }
  }
  return gaps;
}

function forkOf(span: TimelineSpan, position: SnapshotNode, forks: readonly TimelineFork[]): Lsn | null {
  return (
    forks.find(
      (fork) =>
        fork.node === position.node &&
        fork.systemIdentifier === position.systemIdentifier &&
        fork.timeline === span.timeline,
    )?.forkLsn ?? null
  );
}

function missingIn(
  stream: WalStreamKey,
  startLsn: Lsn,
  endLsn: Lsn,
  { wal, gaps }: Pick<RestoreInventory, 'wal' | 'gaps'>,
): string[] {
  const isOfStream = (range: WalRange): boolean =>
    range.stream.node === stream.node &&
    range.stream.systemIdentifier === stream.systemIdentifier &&
    range.stream.timeline === stream.timeline;
  return missingFrom([{ startLsn, endLsn }], wal.filter(isOfStream)).map((missing) => {
    const declared = gaps.find(
      (gap) => isOfStream(gap) && gap.startLsn < missing.endLsn && gap.endLsn > missing.startLsn,
    );
    const lost =
      declared === undefined
        ? ''
        : `; PostgreSQL had no WAL from ${formatLsn(declared.startLsn)} to ${formatLsn(declared.endLsn)} any more, as was found at ${formatTimeUs(declared.declaredAtUs)}`;
    return `its WAL of timeline ${stream.timeline} from ${formatLsn(missing.startLsn)} to ${formatLsn(missing.endLsn)} is missing${lost}`;
  });
}

function formatTimeUs(timeUs: bigint): string {
  return new Date(Number(timeUs / 1000n)).toISOString();
}
