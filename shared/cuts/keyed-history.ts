import type { Lsn } from '../postgres/lsn.ts';
import type { Snapshot } from '../repository/snapshot-manifest.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { matchGid, type BranchMatcher } from './branch-matcher.ts';
import { BranchHistory, type Recalled } from './branch-history.ts';
import { carriedDecisions } from './carried-decisions.ts';
import type { ScannedEvent } from './time-scan.ts';

/**
 * The branches of some keys, and the decisions over them, in a stretch of one node's WAL: what a `BranchHistory` of all of it would know of
 * them. It holds nothing else, however long the stretch.
 */
export class KeyedHistory {
  readonly #node: string;
  readonly #keys: ReadonlySet<string>;
  readonly #matchers: readonly BranchMatcher[];
  readonly #history: BranchHistory;
  /** The transactions that are prepared, or have written a row, as far as they are of the keys. */
  readonly #xids = new Set<number>();
  #hasRows = false;

  constructor(node: string, timeline: number, keys: ReadonlySet<string>, matchers: readonly BranchMatcher[]) {
    this.#node = node;
    this.#keys = keys;
    this.#matchers = matchers;
    this.#history = new BranchHistory(node, timeline);
  }

  /** Begins at a snapshot's cut. */
  startAtSnapshot(snapshot: Snapshot, sampledLsn: Lsn): void {
    const inDoubt = snapshot.inDoubt.filter((branch) => branch.node === this.#node && this.#isWanted(branch.gid));
    const carried = carriedDecisions(snapshot, this.#node);
    const open = carried.open
      .map(({ xid, rows }) => ({ xid, rows: rows.filter(({ gid }) => this.#isWanted(gid)) }))
      .filter(({ rows }) => rows.length > 0);
    for (const { xid } of [...inDoubt, ...open]) this.#xids.add(xid);
    this.#hasRows = open.length > 0;
    this.#history.startAtSnapshot(inDoubt, sampledLsn, { ...carried, open });
  }

  /** Begins in the middle. @param events of what is open there */
  open(events: readonly TransactionEvent[]): void {
    for (const event of events) this.#take(event);
  }

  /** Takes the next event. */
  apply(event: ScannedEvent): void {
    switch (event.kind) {
      case 'commit':
      case 'abort':
        // The row may have been written by a subtransaction.
        if (this.#hasRows) this.#history.apply(event.whole());
        return;
      case 'prepare':
      case 'decision-row':
        this.#take(event.whole());
        return;
      case 'commit-prepared':
      case 'rollback-prepared':
        if (this.#xids.has(event.xid)) this.#history.apply(event.whole());
        return;
      case 'restart':
        this.#history.apply(event.whole());
        return;
      case 'beginning':
        this.#history.crossGap();
    }
  }

  found(): Recalled {
    const { branches, decisions = [] } = this.#history.forCut();
    return { node: this.#node, branches, decisions };
  }

  #take(event: TransactionEvent): void {
    if (!this.#isWanted(event.gid ?? '')) return;
    this.#xids.add(event.xid);
    this.#hasRows ||= event.kind === 'decision-row';
    this.#history.apply(event);
  }

  #isWanted(gid: string): boolean {
    const match = matchGid({ gid }, this.#matchers);
    return match !== null && this.#keys.has(match.key);
  }
}
