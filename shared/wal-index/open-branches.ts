import type { Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';

/** The PREPAREs of one node whose transactions are not finished, by xid. An xid names at most one of them at any position. */
export type OpenBranches = ReadonlyMap<number, TransactionEvent>;

export const NO_OPEN_BRANCHES: OpenBranches = new Map();

/**
 * What is open after some more of a node's events, in the order of its WAL. Events that were applied before change nothing, so that a
 * position may be read twice. A branch that is seeded is open since before the events, unless its PREPARE is known.
 * @param beforeLsn only events whose records start before it are taken; left out: all
 */
export function applyEvents(
  open: OpenBranches,
  events: Iterable<TransactionEvent>,
  beforeLsn: Lsn | null = null,
): OpenBranches {
  const branches = new Map(open);
  for (const event of events) {
    if (beforeLsn !== null && event.lsn >= beforeLsn) continue;
    if (event.kind === 'prepare') {
      const known = branches.get(event.xid);
      // The PREPARE itself says more than the seed that stood for it.
      if (known === undefined || event.seeded !== true) branches.set(event.xid, event);
    } else if (event.kind === 'commit-prepared' || event.kind === 'rollback-prepared') {
      branches.delete(event.xid);
    }
  }
  return branches;
}

/** In the order in which they were prepared. */
export function listOpenBranches(open: OpenBranches): TransactionEvent[] {
  return [...open.values()].sort((a, b) => (a.lsn === b.lsn ? a.xid - b.xid : a.lsn < b.lsn ? -1 : 1));
}
