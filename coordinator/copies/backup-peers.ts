import { manifestBelow } from '../../shared/repository/layout.ts';
import { RemoteRepository } from '../../shared/repository/remote-repository.ts';
import type { BackupPeer } from '../backups/abandoned-packs.ts';
import type { Coordination } from '../coordination/coordination.ts';
import { getPeerState } from './peer-client.ts';
import type { Peers } from './peers.ts';

const STATE_DEADLINE_MS = 3_000;

/**
 * All other coordinators that are alive, the leader among them, to be asked about base backups; null while the coordination service has
 * not said lately who they are, or nobody leads.
 */
export function livingBackupPeers(
  coordination: Pick<Coordination, 'coordinators' | 'leader' | 'reachable'>,
  peers: Peers,
): readonly BackupPeer[] | null {
  const { coordinatorId } = peers;
  const alive = coordination.coordinators().map((one) => one.coordinatorId);
  const leader = coordination.leader()?.coordinatorId;
  if (!coordination.reachable() || leader === undefined) return null;
  if (!alive.includes(coordinatorId) || !alive.includes(leader)) return null;
  return peers.others().map(({ address, dataCenter }) => {
    const channel = peers.channel(address);
    return {
      dataCenter,
      backupsTaken: async (signal) =>
        (await getPeerState(channel, { term: 0n, coordinatorId }, STATE_DEADLINE_MS, signal)).backupsTaken,
      hasManifest: async (prefix, signal) =>
        (await new RemoteRepository({ channels: [channel], signal }).stat(manifestBelow(prefix))) !== null,
    };
  });
}
