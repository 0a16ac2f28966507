import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { WalSource } from '../journal/wal-positions.ts';

interface Nodes {
  nodes(): readonly { readonly node: string; readonly systemIdentifier: string }[];
  primary(node: string): { readonly timeline: number; readonly systemIdentifier: string } | null;
}

/**
 * The stream that each node of the cluster writes now: its primary's timeline; of a node without one, the newest timeline that
 * this coordinator holds. A node of which nothing is known yet is still there, on timeline 1.
 */
export function currentStreams(membership: Nodes, wal: Pick<WalSource, 'positions'>): readonly WalStreamKey[] {
  const positions = wal.positions();
  return membership.nodes().map(({ node, systemIdentifier }) => {
    const held = positions
      .filter(({ stream }) => stream.node === node && stream.systemIdentifier === systemIdentifier)
      .map(({ stream }) => stream.timeline);
    const primary = membership.primary(node);
    const timeline = primary?.systemIdentifier === systemIdentifier ? primary.timeline : Math.max(1, ...held);
    return { node, systemIdentifier, timeline };
  });
}
