import { timelineOf, type TimelineHistory } from '../../shared/postgres/timeline-history.ts';
import type { SnapshotCatalogue } from '../../shared/repository/snapshot-catalogue.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import { NO_LSN } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';

interface Streams {
  /** The stream that each node writes now. */
  readonly streams: () => readonly WalStreamKey[];
  readonly history: (stream: WalStreamKey) => Promise<TimelineHistory | null>;
  /** What was declared to be missing of the node's WAL, on whatever timeline. */
  readonly gaps: (stream: WalStreamKey) => Promise<readonly LsnRange[]>;
}

/** Where a leader begins to read. */
export interface StartingPoint {
  /** Whose cut it goes on from. */
  readonly from: Snapshot;
  /** The last one of all nodes: what a silent node of `from` shows later may belong to transactions that were finished since. */
  readonly base: Snapshot;
}

/**
 * The base is the last complete snapshot that was decided by readings of all nodes, and of which no failover took anything back; null if there is
 * none. One that was taken after a loss says nothing of what its nodes had written and not sent. If nodes have been away since, the leader goes on
 * from the last snapshot of the others, unless WAL of one is missing in between: then it has to be seen where.
 */
export async function findStartingPoint(catalogue: SnapshotCatalogue, nodes: Streams): Promise<StartingPoint | null> {
  let from: Snapshot | null = null;
  for (const id of await catalogue.ids()) {
    const snapshot = await catalogue.get(id);
    const isSampled = snapshot.nodes.every(({ sampled }) => sampled);
    if (snapshot.complete && isSampled && (await isInHistory(snapshot, nodes))) {
      const base = snapshot;
      const isUsable = from !== null && isOfSameNodes(from, base) && !(await isGapBetween(base, from, nodes));
      return { from: isUsable && from !== null ? from : base, base };
    }
    if (from === null && isDecided(snapshot) && (await isInHistory(snapshot, nodes))) from = snapshot;
  }
  return null;
}

/**
 * At least one node answered, and of what is in doubt it is known how it ends. While a node is silent that decides by rows, committed branches
 * wait for its decisions, to see whether one was lost: a snapshot does not name those.
 */
function isDecided({ nodes, broken }: Snapshot): boolean {
  return (
    nodes.some(({ sampled }) => sampled) &&
    nodes.every(({ sampled, originates = [] }) => sampled || originates.length === 0) &&
    broken.every(({ kind }) => kind !== 'unknown')
  );
}

function isOfSameNodes(a: Snapshot, b: Snapshot): boolean {
  const names = ({ nodes }: Snapshot) =>
    nodes.map(({ node, systemIdentifier }) => `${node} ${systemIdentifier}`).sort();
  return names(a).join() === names(b).join();
}

async function isGapBetween(base: Snapshot, from: Snapshot, { streams, gaps }: Streams): Promise<boolean> {
  for (const stream of streams()) {
    const startLsn = base.nodes.find(({ node }) => node === stream.node)?.targetLsn ?? NO_LSN;
    const endLsn = from.nodes.find(({ node }) => node === stream.node)?.sampledLsn ?? NO_LSN;
    const missing = await gaps(stream);
    if (missing.some((gap) => gap.startLsn < endLsn && gap.endLsn > startLsn)) return true;
  }
  return false;
}

/** Whether every node's history still holds the snapshot's position; one that is not known yet is taken to do so. */
async function isInHistory(snapshot: Snapshot, { streams, history }: Streams): Promise<boolean> {
  for (const stream of streams()) {
    const cut = snapshot.nodes.find(({ node }) => node === stream.node);
    if (cut === undefined || cut.systemIdentifier !== stream.systemIdentifier || cut.timeline >= stream.timeline) {
      continue;
    }
    const known = await history(stream);
    if (known !== null && timelineOf(known, cut.targetLsn) !== cut.timeline) {
      return false;
    }
  }
  return true;
}
