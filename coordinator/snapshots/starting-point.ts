import { timelineOf, type TimelineHistory } from '../../shared/postgres/timeline-history.ts';
import type { SnapshotCatalogue } from '../../shared/repository/snapshot-catalogue.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';

interface Streams {
  /** The stream that each node writes now. */
  readonly streams: () => readonly WalStreamKey[];
  readonly history: (stream: WalStreamKey) => Promise<TimelineHistory | null>;
}

/**
 * The last complete snapshot that was decided by readings of all nodes, and of which no failover took anything back; null if there is
 * none. One that was taken after a loss says nothing of what its nodes had written and not sent.
 */
export async function findStartingPoint(catalogue: SnapshotCatalogue, nodes: Streams): Promise<Snapshot | null> {
  for (const id of await catalogue.ids()) {
    const snapshot = await catalogue.get(id);
    const isSampled = snapshot.nodes.every(({ sampled }) => sampled);
    if (snapshot.complete && isSampled && (await isInHistory(snapshot, nodes))) {
      return snapshot;
    }
  }
  return null;
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
