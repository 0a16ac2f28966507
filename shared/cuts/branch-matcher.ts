import type { Branch } from './branch.ts';

/**
 * Decides which branches may belong to one distributed transaction: those of equal key. A matcher looks at one branch only,
 * so that matching costs one look at each. Several may be active; the first that knows a branch wins.
 */
export interface BranchMatcher {
  /** Keeps the keys of different matchers apart. */
  readonly name: string;
  /** Null if the branch is not of this matcher's kind. */
  key(branch: Pick<Branch, 'node' | 'gid' | 'databaseOid'>): string | null;
}

/** One GID on all nodes. */
export const sameGidMatcher: BranchMatcher = { name: 'same', key: (branch) => branch.gid };

/** The key of a branch; one that no matcher knows stands alone on its node. */
export function matchingKey(
  branch: Pick<Branch, 'node' | 'gid' | 'databaseOid'>,
  matchers: readonly BranchMatcher[],
): string {
  for (const matcher of matchers) {
    const key = matcher.key(branch);
    if (key !== null) {
      return `${matcher.name}:${key}`;
    }
  }
  return `alone:${branch.node}:${branch.gid}`;
}
