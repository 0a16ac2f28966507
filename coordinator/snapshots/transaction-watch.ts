import type { BrokenReport, LongPrepared, TransactionProblems } from '../../shared/admin/status.ts';
import type { Branch } from '../../shared/cuts/branch.ts';
import type { ClockCorrections } from '../../shared/cuts/distributed-transaction.ts';
import type { SnapshotCatalogue } from '../../shared/repository/snapshot-catalogue.ts';
import type { BrokenTransaction } from '../../shared/repository/snapshot-manifest.ts';
import type { PreparedBranches, SnapshotObserver } from './snapshot-observer.ts';

/** For so long a broken transaction is shown. */
const SHOWN_US = 24n * 3600n * 1_000_000n;
/** Of more, the oldest are forgotten. */
const KEPT_MAX = 1000;
const SNAPSHOTS_LEARNT = 100;

interface TransactionWatchOptions {
  readonly observer: Pick<SnapshotObserver, 'broken' | 'longPrepared' | 'prepared' | 'problem'>;
  readonly preparedWarningMs: number;
}

/**
 * Says what is wrong with distributed transactions: each broken one is told of once, though snapshots name it until it is
 * settled, and though another leader may have told of it before; so is each branch that stays prepared for too long.
 */
export class TransactionWatch {
  readonly #options: TransactionWatchOptions;
  /** In the order in which they were found. */
  readonly #broken = new Map<string, BrokenReport>();
  #long = new Map<string, LongPrepared>();

  constructor(options: TransactionWatchOptions) {
    this.#options = options;
  }

  /** One that knows what the newest snapshots name: whoever took them has told of it. */
  static async open(options: TransactionWatchOptions, catalogue: SnapshotCatalogue): Promise<TransactionWatch> {
    const watch = new TransactionWatch(options);
    try {
      for (const { broken, timeUs } of [...(await catalogue.list(SNAPSHOTS_LEARNT))].reverse()) {
        for (const transaction of broken) {
          watch.#keep(transaction, timeUs);
        }
      }
    } catch (error) {
      options.observer.problem('the newest snapshots cannot be read', error);
    }
    return watch;
  }

  /** A cut has found these. */
  found(broken: readonly BrokenTransaction[], nowUs: bigint): void {
    for (const transaction of broken) {
      if (this.#keep(transaction, nowUs)) {
        this.#options.observer.broken(transaction);
      }
    }
  }

  /** These branches are known now, for each node of the cluster. */
  prepared(nodes: ReadonlyMap<string, Iterable<Branch>>, corrections: ClockCorrections, nowUs: bigint): void {
    const { observer, preparedWarningMs } = this.#options;
    const long: { readonly key: string; readonly branch: LongPrepared }[] = [];
    const counts = new Map<string, PreparedBranches>();
    for (const [node, branches] of nodes) {
      let count = 0;
      let held = 0;
      let longCount = 0;
      let oldestMs = 0;
      for (const { gid, xid, preparedAtUs: ownUs, end, lost, prepareLsn } of branches) {
        held += 1;
        if (end !== null || lost) {
          continue;
        }
        const preparedAtUs = ownUs + (corrections.get(node) ?? 0n);
        const ageMs = Math.max(0, Number((nowUs - preparedAtUs) / 1000n));
        count += 1;
        oldestMs = Math.max(oldestMs, ageMs);
        if (ageMs > preparedWarningMs) {
          longCount += 1;
          long.push({ key: `${node} ${xid} ${prepareLsn}`, branch: { node, gid, xid, preparedAtUs } });
        }
      }
      counts.set(node, { count, long: longCount, oldestMs, held });
    }
    for (const { key, branch } of long) {
      if (!this.#long.has(key)) {
        observer.longPrepared(branch, Number((nowUs - branch.preparedAtUs) / 1000n));
      }
    }
    this.#long = new Map(long.map(({ key, branch }) => [key, branch]));
    observer.prepared(counts);
  }

  problems(nowUs: bigint): TransactionProblems {
    return {
      broken: [...this.#broken.values()].filter(({ foundAtUs }) => nowUs - foundAtUs <= SHOWN_US).reverse(),
      longPrepared: [...this.#long.values()].sort((a, b) => (a.preparedAtUs < b.preparedAtUs ? -1 : 1)),
    };
  }

  /** @returns whether it is new */
  #keep(transaction: BrokenTransaction, foundAtUs: bigint): boolean {
    const key = brokenKey(transaction);
    if (this.#broken.has(key)) {
      return false;
    }
    this.#broken.set(key, { ...transaction, foundAtUs });
    const [oldest] = this.#broken.keys();
    if (this.#broken.size > KEPT_MAX && oldest !== undefined) {
      this.#broken.delete(oldest);
    }
    return true;
  }
}

/** What is broken otherwise than before is told of anew. */
function brokenKey({ kind, gid, branches }: BrokenTransaction): string {
  const parts = branches.map(({ node, xid }) => `${node} ${xid}`).sort();
  return [kind, gid, ...parts].join('|');
}
