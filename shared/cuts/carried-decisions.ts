import type { Snapshot } from '../repository/snapshot-manifest.ts';
import type { OpenDecision } from './decision.ts';

/** What a snapshot says of a node's decisions, for a history that goes on from it. */
export interface CarriedDecisions {
  readonly open: readonly Pick<OpenDecision, 'xid' | 'rows'>[];
  readonly originates: readonly string[];
}

export function carriedDecisions(
  { nodes, openDecisions = [] }: Pick<Snapshot, 'nodes' | 'openDecisions'>,
  node: string,
): CarriedDecisions {
  return {
    open: openDecisions.filter((decision) => decision.node === node),
    originates: nodes.find((known) => known.node === node)?.originates ?? [],
  };
}
