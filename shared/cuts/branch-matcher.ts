import { parseCitusGid } from '../postgres/citus-gid.ts';
import type { Branch } from './branch.ts';

/**
 * Decides which branches may belong to one distributed transaction: those of equal key. A matcher looks at one GID only,
 * so that matching costs one look at each. Several may be active; the first that knows a GID wins.
 */
export interface BranchMatcher {
  /** Keeps the keys of different matchers apart. */
  readonly name: string;
  /**
   * Its transactions are decided by a commit on the node where they were begun, of the transaction that wrote their GIDs
   * into a table; without that commit they are not committed.
   */
  readonly decidedByRows?: boolean;
  /** Null if the branch is not of this matcher's kind. */
  key(branch: Pick<Branch, 'gid'>): string | null;
}

/** One GID on all nodes. */
export const sameGidMatcher: BranchMatcher = { name: 'same', key: (branch) => branch.gid };

/** Citus: the GIDs of a transaction differ in the connection's number only. A node may have several branches. */
export const citusMatcher: BranchMatcher = {
  name: 'citus',
  decidedByRows: true,
  key: ({ gid }) => parseCitusGid(gid)?.transaction ?? null,
};

/** The matcher that knows the GID, and its key; null if none does. */
export function matchGid(
  branch: Pick<Branch, 'gid'>,
  matchers: readonly BranchMatcher[],
): { readonly matcher: BranchMatcher; readonly key: string } | null {
  for (const matcher of matchers) {
    const key = matcher.key(branch);
    if (key !== null) {
      return { matcher, key: `${matcher.name}:${key}` };
    }
  }
  return null;
}

/** The key of a branch; one that no matcher knows stands alone on its node. */
export function matchingKey(branch: Pick<Branch, 'node' | 'gid'>, matchers: readonly BranchMatcher[]): string {
  return matchGid(branch, matchers)?.key ?? `alone:${branch.node}:${branch.gid}`;
}
