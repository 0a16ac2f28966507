import { parseLsn } from '../../shared/postgres/lsn.ts';
import { otherTransactions, type Truth } from './citus-corpus.ts';

/** For each node the position below which everything is in the cut. */
type Vector = ReadonlyMap<string, bigint>;

interface At {
  readonly node: string;
  readonly lsn: bigint;
}

interface Transaction {
  readonly prepares: readonly (At & { readonly gid: string; readonly end: bigint | null })[];
  readonly commits: readonly At[];
  readonly decision: At | null;
}

/** Reads the truth about the cluster by the definition of a closed cut, slowly, with nothing of the engine. */
export class CitusOracle {
  readonly #transactions: readonly Transaction[];

  constructor(truth: Truth) {
    const at = (node: string, text: string): At => ({ node, lsn: parseLsn(text) });
    const citus = truth.transactions.map(({ origin, decision, branches }) => ({
      branches,
      decision: decision?.kind === 'commit' ? at(origin, decision.lsn) : null,
    }));
    const plain = otherTransactions(truth).map((branches) => ({ branches, decision: null }));
    this.#transactions = [...citus, ...plain].map(({ branches, decision }) => ({
      decision,
      prepares: branches.map(({ node, gid, prepare, finish }) => ({
        ...at(node, prepare.lsn),
        gid,
        end: finish === null ? null : parseLsn(finish.lsn),
      })),
      commits: branches.flatMap(({ node, finish }) => (finish?.kind === 'commit' ? [at(node, finish.lsn)] : [])),
    }));
  }

  /** Takes out what has not all that it needs, until nothing changes. */
  greatestClosed(wish: Vector): Map<string, bigint> {
    const cut = new Map(wish);
    const isIn = ({ node, lsn }: At) => lsn < (cut.get(node) ?? 0n);
    const takeOut = (event: At) => {
      if (!isIn(event)) return;
      cut.set(event.node, event.lsn);
      changed = true;
    };
    let changed = true;
    while (changed) {
      changed = false;
      for (const { prepares, commits, decision } of this.#transactions) {
        const prepared = prepares.every(isIn);
        if (decision !== null && !prepared) takeOut(decision);
        if (!prepared || (decision !== null && !isIn(decision))) commits.forEach(takeOut);
      }
    }
    return cut;
  }

  /** Every branch that is prepared and unfinished in the cut, as `<node> <gid> <prepare> <decision>`. */
  inDoubt(cut: Vector): string[] {
    const isIn = ({ node, lsn }: At) => lsn < (cut.get(node) ?? 0n);
    return this.#transactions
      .flatMap(({ prepares, commits, decision }) => {
        const committed = commits.some(isIn) || (decision !== null && isIn(decision));
        return prepares
          .filter((branch) => isIn(branch) && (branch.end === null || !isIn({ node: branch.node, lsn: branch.end })))
          .map(({ node, gid, lsn }) => `${node} ${gid} ${lsn} ${committed ? 'commit' : 'rollback'}`);
      })
      .sort();
  }
}
