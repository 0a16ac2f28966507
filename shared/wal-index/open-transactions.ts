import type { Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';

/** The events of one node whose transactions are not finished. An xid names at most one transaction at any position. */
export interface OpenTransactions {
  /** PREPAREs, by xid. */
  readonly branches: ReadonlyMap<number, TransactionEvent>;
  /** Rows that decide over branches, by the xid whose commit they wait for. */
  readonly rows: ReadonlyMap<number, readonly TransactionEvent[]>;
}

export const NOTHING_OPEN: OpenTransactions = { branches: new Map(), rows: new Map() };

/**
 * What is open after some more of a node's events, in the order of its WAL. Events that were applied before change nothing, so that a
 * position may be read twice. A branch that is seeded is open since before the events, unless its PREPARE is known.
 * @param beforeLsn only events whose records start before it are taken; left out: all
 */
export function applyEvents(
  open: OpenTransactions,
  events: Iterable<TransactionEvent>,
  beforeLsn: Lsn | null = null,
): OpenTransactions {
  const branches = new Map(open.branches);
  const rows = new Map(open.rows);
  for (const event of events) {
    if (beforeLsn !== null && event.lsn >= beforeLsn) continue;
    switch (event.kind) {
      case 'prepare':
        // The PREPARE itself says more than the seed that stood for it.
        if (event.seeded !== true || !branches.has(event.xid)) branches.set(event.xid, event);
        break;
      case 'decision-row': {
        const known = rows.get(event.xid) ?? [];
        if (!known.some(({ lsn }) => lsn === event.lsn)) rows.set(event.xid, [...known, event]);
        break;
      }
      case 'commit-prepared':
      case 'rollback-prepared':
        branches.delete(event.xid);
        for (const xid of [event.xid, ...event.subxids]) rows.delete(xid);
        break;
      case 'commit':
      case 'abort':
        if (rows.size > 0) for (const xid of [event.xid, ...event.subxids]) rows.delete(xid);
        break;
      case 'restart':
        for (const xid of rows.keys()) if (!branches.has(xid)) rows.delete(xid);
        break;
      case 'beginning':
        branches.clear();
        rows.clear();
    }
  }
  return { branches, rows };
}

/** In the order in which they were written. */
export function listOpen({ branches, rows }: OpenTransactions): TransactionEvent[] {
  return [...branches.values(), ...[...rows.values()].flat()].sort((a, b) =>
    a.lsn === b.lsn ? a.xid - b.xid : a.lsn < b.lsn ? -1 : 1,
  );
}
