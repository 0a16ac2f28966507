import type { Snapshot, SnapshotClass, SnapshotNode } from '../../shared/repository/snapshot-manifest.ts';

/** Whether the cluster wrote nothing since the last snapshot: every node still stands where it stood. */
export function isCurrent(
  last: Snapshot,
  draft: { readonly nodes: readonly SnapshotNode[]; readonly class: SnapshotClass },
): boolean {
  return (
    (last.class.kind === 'causal' || draft.class.kind === 'bounded') &&
    last.nodes.length === draft.nodes.length &&
    draft.nodes.every((node) =>
      last.nodes.some(
        (before) =>
          before.node === node.node &&
          before.systemIdentifier === node.systemIdentifier &&
          before.timeline === node.timeline &&
          before.sampledLsn === node.sampledLsn,
      ),
    )
  );
}
