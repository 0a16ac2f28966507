import { NO_LSN, maxLsn, type Lsn } from '../postgres/lsn.ts';
import type { InDoubtDecision } from '../repository/snapshot-manifest.ts';
import type { TransactionEvent } from '../wal/transaction-event.ts';
import { BarrierLog } from './barrier-log.ts';
import type { Branch, OrphanCommit } from './branch.ts';
import type { CarriedDecisions } from './carried-decisions.ts';
import type { CutNode } from './cut.ts';
import type { Decision } from './decision.ts';
import { DecisionHistory } from './decision-history.ts';

/** What is known of some transactions from another reading. */
export interface Recalled {
  readonly node: string;
  readonly branches: readonly Branch[];
  readonly decisions: readonly Decision[];
}

type GrowingBranch = { -readonly [Key in keyof Branch]: Branch[Key] };

/** The barrier that stands for the snapshot that a history was started from. */
const SNAPSHOT_BARRIER = 1;

/** The first barrier that a collect may have; see {@link BranchHistory.markBarrier}. */
export const FIRST_BARRIER = 2;

/**
 * The branches and decisions of one node, built from its transaction events in the order of its WAL. Every branch that was seen is there
 * until it is dropped; an open one is never dropped. An xid names one open branch at most, so a branch that is seeded
 * again, or read again, is not doubled.
 */
export class BranchHistory {
  readonly #node: string;
  #timeline: number;
  readonly #open = new Map<number, GrowingBranch>();
  #finished: GrowingBranch[] = [];
  readonly #decisions: DecisionHistory;
  #orphans: OrphanCommit[] = [];
  #reportOrphans = false;
  /** Start of the last record that ended a branch which was dropped, or lay in the snapshot that it began at. */
  #forgottenLsn: Lsn = NO_LSN;
  #barrier: { readonly number: number; readonly afterLsn: Lsn } | null = null;
  readonly #barrierLog = new BarrierLog();
  /** Those that were open where WAL began to be missing, until one is seen again. */
  readonly #beforeGap = new Map<number, GrowingBranch>();
  #gapBeforeBarrier: number | null = null;

  constructor(node: string, timeline: number) {
    this.#node = node;
    this.#timeline = timeline;
    this.#decisions = new DecisionHistory(node);
  }

  /**
   * Begins at a snapshot's cut: what is in doubt there is what is open.
   * @param sampledLsn the node's position sampled after everything in that cut was written; null if it was not
   * @param targetLsn the last record in the cut
   */
  startAtSnapshot(
    inDoubt: readonly InDoubtDecision[],
    sampledLsn: Lsn | null,
    carried?: CarriedDecisions,
    targetLsn: Lsn = NO_LSN,
  ): void {
    this.#forgottenLsn = targetLsn;
    if (carried !== undefined) {
      this.#decisions.start(carried.open, carried.originates);
    }
    for (const branch of inDoubt) {
      this.#open.set(branch.xid, {
        node: this.#node,
        timeline: this.#timeline,
        xid: branch.xid,
        gid: branch.gid,
        databaseOid: branch.databaseOid,
        prepareLsn: branch.prepareLsn,
        preparedAtUs: branch.preparedAtUs,
        seeded: true,
        carried: true,
        preparedAfterBarrier: 0,
        // A commit that the snapshot holds: whatever is prepared after it is of another transaction.
        endedBeforeBarrier: branch.decision === 'commit' ? SNAPSHOT_BARRIER : Infinity,
        end: null,
        lost: false,
        decidedCommit: branch.decision === 'commit',
      });
    }
    this.#barrier = sampledLsn === null ? null : { number: SNAPSHOT_BARRIER, afterLsn: sampledLsn };
    this.#reportOrphans = true;
  }

  /** The one that it goes on on. */
  get timeline(): number {
    return this.#timeline;
  }

  /** Start of the newest record that ended a branch which was dropped, or decided; NO_LSN if there is none. */
  get forgottenLsn(): Lsn {
    return maxLsn(this.#forgottenLsn, this.#decisions.forgottenLsn);
  }

  /** Whether a branch was dropped that would be open again if the node went on on another timeline from `forkLsn`. */
  forgetsAfter(forkLsn: Lsn): boolean {
    return this.forgottenLsn >= forkLsn;
  }

  /**
   * WAL is missing from here on up to the next event. Whatever is open behind the gap is seeded there, as where a stream begins; what
   * was open before it and is not seeded has ended, nobody knows how.
   */
  crossGap(): void {
    for (const branch of this.#open.values()) this.#beforeGap.set(branch.xid, branch);
    this.#open.clear();
    this.#decisions.crossGap();
    this.#gapBeforeBarrier = Infinity;
    this.#reportOrphans = false;
  }

  /** The first barrier behind the last gap, infinite if there was none yet; null if no gap was crossed. */
  get gapBeforeBarrier(): number | null {
    return this.#gapBeforeBarrier;
  }

  /** Takes the next event. Ordinary commits and aborts are no branches' business; some of them decide over branches elsewhere. */
  apply(event: TransactionEvent): void {
    this.#decisions.apply(event, (xid) => this.#open.has(xid), this.#barrierBefore(event.lsn));
    switch (event.kind) {
      case 'prepare':
        this.#prepare(event);
        return;
      case 'commit-prepared':
      case 'rollback-prepared':
        this.#finish(event, event.kind === 'commit-prepared' ? 'commit' : 'rollback');
        return;
      case 'commit':
      case 'abort':
      case 'decision-row':
      case 'restart':
      case 'beginning':
    }
  }

  /**
   * The node went on on another timeline from `forkLsn`. What lay at or after it on the old one never happened: a branch
   * prepared there is lost, one that ended there is open again.
   */
  switchTimeline(timeline: number, forkLsn: Lsn): void {
    this.#timeline = timeline;
    this.#decisions.switchTimeline(forkLsn);
    this.#barrierLog.switchTimeline(forkLsn);
    for (const branch of this.#finished.filter((known) => !known.lost && (known.end?.lsn ?? 0n) >= forkLsn)) {
      branch.end = null;
      branch.endedBeforeBarrier = Infinity;
      this.#open.set(branch.xid, branch);
    }
    this.#finished = this.#finished.filter((branch) => branch.lost || branch.end !== null);
    for (const branch of [...this.#open.values()].filter((known) => !known.seeded && known.prepareLsn >= forkLsn)) {
      this.#lose(branch);
    }
  }

  /**
   * A collect is complete: what lies before `beforeLsn` happened before what lies at or after `afterLsn`, here and on every
   * other node (with that node's positions). The node was read past `afterLsn`. Numbers increase, from {@link FIRST_BARRIER} on.
   */
  markBarrier(number: number, beforeLsn: Lsn, afterLsn: Lsn): void {
    for (const branch of this.branches()) {
      const known = branch as GrowingBranch;
      if (!known.seeded && known.prepareLsn >= afterLsn) {
        known.preparedAfterBarrier = number;
      }
      if (known.endedBeforeBarrier === Infinity && known.end !== null && known.end.lsn < beforeLsn) {
        known.endedBeforeBarrier = number;
      }
    }
    this.#decisions.markBarrier(number, beforeLsn, afterLsn);
    if (this.#gapBeforeBarrier === Infinity) this.#gapBeforeBarrier = number;
    this.#barrier = { number, afterLsn };
    this.#barrierLog.add({ number, beforeLsn, afterLsn });
    // What began and ended around the stream's beginning may have been seeded by nobody; from now on a missing PREPARE is news.
    this.#reportOrphans = true;
  }

  *branches(): Generator<Branch> {
    yield* this.#open.values();
    yield* this.#finished;
  }

  /** Citus's groups whose transactions were seen to be begun on this node. */
  get originates(): ReadonlySet<string> {
    return this.#decisions.originates;
  }

  orphans(): readonly OrphanCommit[] {
    return this.#orphans;
  }

  /**
   * What the cut engine asks of this node's history.
   * @param asOfLsn as if nothing that starts at or after it had been read; left out: all that was read
   */
  forCut(
    asOfLsn?: Lsn,
  ): Pick<CutNode, 'branches' | 'orphans' | 'decisions' | 'openDecisions' | 'originates' | 'gapBeforeBarrier'> {
    const { decisions } = this.#decisions;
    return {
      branches: asOfLsn === undefined ? [...this.branches()] : [...this.#branchesAsOf(asOfLsn)],
      orphans: this.#orphans,
      decisions: asOfLsn === undefined ? decisions : decisions.filter(({ lsn }) => lsn < asOfLsn),
      openDecisions: (limitLsn) => this.#decisions.openAt(limitLsn),
      originates: this.#decisions.originates,
      gapBeforeBarrier: this.#gapBeforeBarrier,
    };
  }

  *#branchesAsOf(asOfLsn: Lsn): Generator<Branch> {
    for (const branch of this.branches()) {
      if (branch.prepareLsn >= asOfLsn) continue;
      yield branch.end !== null && branch.end.lsn >= asOfLsn ? { ...branch, end: null } : branch;
    }
  }

  /** Forgets finished and lost branches, decisions, and the orphans that were reported. */
  drop(branches: ReadonlySet<Branch | Decision>): void {
    this.#decisions.drop(branches);
    for (const branch of this.#finished) {
      if (branches.has(branch) && !branch.lost) {
        this.#forgottenLsn = maxLsn(this.#forgottenLsn, branch.end?.lsn ?? NO_LSN);
      }
    }
    this.#finished = this.#finished.filter((branch) => !branches.has(branch));
    this.#orphans = [];
  }

  /**
   * Takes back some of what was dropped, as another reading of the same WAL found it: finished branches, and decisions. What is here
   * already is left as it is, but for what a snapshot that the other reading began at had decided over it. Barriers are this history's own.
   * @param beforeLsn what ended at or after it is here
   */
  recall({ branches, decisions }: Pick<Recalled, 'branches' | 'decisions'>, beforeLsn: Lsn): void {
    const ends = new Set(this.#finished.map(({ end }) => end?.lsn));
    for (const branch of branches) {
      if (branch.decidedCommit) this.#decide(branch);
      if (branch.end === null || branch.end.lsn >= beforeLsn || ends.has(branch.end.lsn)) continue;
      this.#finished.push({
        ...branch,
        timeline: this.#timeline,
        preparedAfterBarrier: branch.seeded ? 0 : this.#barrierLog.newestBefore(branch.prepareLsn),
        endedBeforeBarrier: this.#barrierLog.oldestAfter(branch.end.lsn),
      });
    }
    this.#decisions.recall(decisions, beforeLsn, this.#barrierLog);
  }

  /** Of nothing that is recalled from now on the place among the barriers up to now matters. */
  forgetBarriers(): void {
    this.#barrierLog.clear();
  }

  #decide({ xid, gid }: Branch): void {
    for (const known of [this.#open.get(xid), ...this.#finished]) {
      if (known?.xid === xid && known.gid === gid && !known.lost) known.decidedCommit = true;
    }
  }

  #barrierBefore(position: Lsn): number {
    return this.#barrier !== null && position >= this.#barrier.afterLsn ? this.#barrier.number : 0;
  }

  #prepare(event: TransactionEvent): void {
    if (event.seeded === true) this.#reopen(event.xid, event.gid);
    const known = this.#open.get(event.xid);
    if (known !== undefined && (event.seeded === true || known.prepareLsn === event.lsn)) {
      return;
    }
    if (known !== undefined && known.seeded && known.gid === event.gid) {
      // It was prepared after the stream's beginning and seeded by what pg_prepared_xacts showed later.
      known.seeded = false;
      known.prepareLsn = event.lsn;
      known.preparedAtUs = event.timeUs;
      return;
    }
    if (known !== undefined) {
      this.#lose(known);
    }
    this.#open.set(event.xid, {
      node: this.#node,
      timeline: this.#timeline,
      xid: event.xid,
      gid: event.gid ?? '',
      databaseOid: event.databaseOid,
      prepareLsn: event.lsn,
      preparedAtUs: event.timeUs,
      seeded: event.seeded === true,
      preparedAfterBarrier: event.seeded === true ? 0 : this.#barrierBefore(event.lsn),
      endedBeforeBarrier: Infinity,
      end: null,
      lost: false,
      decidedCommit: false,
    });
  }

  #finish(event: TransactionEvent, kind: 'commit' | 'rollback'): void {
    this.#reopen(event.xid);
    const branch = this.#open.get(event.xid);
    if (branch === undefined) {
      if (kind === 'commit' && this.#reportOrphans) {
        this.#orphans.push({ node: this.#node, xid: event.xid, gid: event.gid ?? null, lsn: event.lsn });
      }
      return;
    }
    this.#open.delete(event.xid);
    branch.end = { kind, lsn: event.lsn, previousLsn: event.previousLsn, timeUs: event.timeUs };
    this.#finished.push(branch);
  }

  /** A branch from before the gap is seen behind it: it was open all the while. */
  #reopen(xid: number, gid?: string): void {
    const branch = this.#beforeGap.get(xid);
    if (branch === undefined || (gid !== undefined && branch.gid !== gid)) return;
    this.#beforeGap.delete(xid);
    this.#open.set(xid, branch);
  }

  #lose(branch: GrowingBranch): void {
    this.#open.delete(branch.xid);
    branch.lost = true;
    this.#finished.push(branch);
  }
}
