import { NO_LSN, maxLsn, type Lsn } from '../postgres/lsn.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { parseCitusGid } from '../postgres/citus-gid.ts';
import type { BarrierLog } from './barrier-log.ts';
import type { Decision, DecisionRow, OpenDecision } from './decision.ts';

type GrowingDecision = { -readonly [Key in keyof Decision]: Decision[Key] };

/**
 * The decisions of one node, built from its transaction events in the order of its WAL.
 *
 * Rows are kept while their transaction runs: until its commit makes them a decision, its abort or a restart of the server
 * forgets them. A decision is kept until it is dropped, which the cut engine says once all branches of its transaction are
 * finished in a cut: no COMMIT PREPARED that a later cut asks about can depend on it then. Rows that were written before the
 * history begins are not known, unless the snapshot that it begins at named them.
 */
export class DecisionHistory {
  readonly #node: string;
  readonly #open = new Map<number, DecisionRow[]>();
  #decisions: GrowingDecision[] = [];
  readonly #originates = new Set<string>();
  /** Start of the newest commit that was dropped. */
  #forgottenLsn: Lsn = NO_LSN;

  constructor(node: string) {
    this.#node = node;
  }

  /** Goes on from a snapshot: the rows whose transactions were running at its cut. */
  start(open: readonly Pick<OpenDecision, 'xid' | 'rows'>[], originates: readonly string[]): void {
    for (const { xid, rows } of open) {
      this.#open.set(xid, [...rows]);
    }
    for (const group of originates) {
      this.#originates.add(group);
    }
  }

  get decisions(): readonly Decision[] {
    return this.#decisions;
  }

  /** Start of the newest commit that was dropped; NO_LSN if none was. */
  get forgottenLsn(): Lsn {
    return this.#forgottenLsn;
  }

  /** Citus's groups whose transactions were seen to be begun on this node. */
  get originates(): ReadonlySet<string> {
    return this.#originates;
  }

  /** What was written before `limitLsn` by transactions that had not committed before it. */
  openAt(limitLsn: Lsn): OpenDecision[] {
    const running = [...this.#open].map(([xid, rows]) => ({ node: this.#node, xid, rows }));
    const undecided = this.#decisions.filter(({ lsn }) => lsn >= limitLsn);
    return [...running, ...undecided]
      .map(({ node, xid, rows }) => ({ node, xid, rows: rows.filter((row) => row.lsn < limitLsn) }))
      .filter(({ rows }) => rows.length > 0);
  }

  /** @param isPrepared whether the transaction is prepared, so that it outlives a restart */
  apply(event: TransactionEvent, isPrepared: (xid: number) => boolean, afterBarrier: number): void {
    switch (event.kind) {
      case 'decision-row':
        this.#addRow(event);
        return;
      case 'commit':
      case 'commit-prepared':
        this.#decide(event, afterBarrier);
        return;
      case 'abort':
      case 'rollback-prepared':
        this.#open.delete(event.xid);
        return;
      case 'restart':
        for (const xid of this.#open.keys()) {
          if (!isPrepared(xid)) {
            this.#open.delete(xid);
          }
        }
        return;
      case 'prepare':
      case 'beginning':
    }
  }

  /** WAL is missing from here on: what was running may have ended in it. */
  crossGap(): void {
    this.#open.clear();
  }

  /** What lay at or after `forkLsn` never happened: rows there are gone, and what was decided there is open again. */
  switchTimeline(forkLsn: Lsn): void {
    for (const { xid, rows } of this.#decisions.filter(({ lsn }) => lsn >= forkLsn)) {
      this.#open.set(xid, [...rows]);
    }
    this.#decisions = this.#decisions.filter(({ lsn }) => lsn < forkLsn);
    for (const [xid, rows] of this.#open) {
      const left = rows.filter(({ lsn }) => lsn < forkLsn);
      if (left.length === 0) {
        this.#open.delete(xid);
      } else {
        this.#open.set(xid, left);
      }
    }
  }

  markBarrier(number: number, beforeLsn: Lsn, afterLsn: Lsn): void {
    for (const decision of this.#decisions) {
      if (decision.lsn >= afterLsn) {
        decision.madeAfterBarrier = number;
      }
      if (decision.madeBeforeBarrier === Infinity && decision.lsn < beforeLsn) {
        decision.madeBeforeBarrier = number;
      }
    }
  }

  drop(decisions: ReadonlySet<unknown>): void {
    for (const decision of this.#decisions) {
      if (decisions.has(decision)) {
        this.#forgottenLsn = maxLsn(this.#forgottenLsn, decision.lsn);
      }
    }
    this.#decisions = this.#decisions.filter((decision) => !decisions.has(decision));
  }

  /** See `BranchHistory.recall`. */
  recall(decisions: readonly Decision[], beforeLsn: Lsn, barriers: BarrierLog): void {
    const known = new Set(this.#decisions.map(({ lsn }) => lsn));
    for (const decision of decisions) {
      if (decision.lsn >= beforeLsn || known.has(decision.lsn)) continue;
      this.#decisions.push({
        ...decision,
        madeAfterBarrier: barriers.newestBefore(decision.lsn),
        madeBeforeBarrier: barriers.oldestAfter(decision.lsn),
      });
    }
  }

  #addRow({ xid, gid = '', databaseOid, lsn }: TransactionEvent): void {
    const group = parseCitusGid(gid)?.originatorGroup;
    if (group !== undefined) {
      this.#originates.add(group);
    }
    const rows = this.#open.get(xid);
    if (rows === undefined) {
      this.#open.set(xid, [{ gid, databaseOid, lsn }]);
    } else if (!rows.some((row) => row.lsn === lsn)) {
      rows.push({ gid, databaseOid, lsn });
    }
  }

  #decide(event: TransactionEvent, afterBarrier: number): void {
    if (this.#open.size === 0) {
      return;
    }
    const rows = [event.xid, ...event.subxids].flatMap((xid) => {
      const own = this.#open.get(xid) ?? [];
      this.#open.delete(xid);
      return own;
    });
    if (rows.length > 0) {
      this.#decisions.push({
        node: this.#node,
        xid: event.xid,
        rows,
        lsn: event.lsn,
        previousLsn: event.previousLsn,
        timeUs: event.timeUs,
        madeAfterBarrier: afterBarrier,
        madeBeforeBarrier: Infinity,
      });
    }
  }
}
