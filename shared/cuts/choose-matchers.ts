import { citusMatcher, sameGidMatcher, type BranchMatcher } from './branch-matcher.ts';
import { patternMatcher } from './pattern-matcher.ts';
import { xaMatcher } from './xa-matcher.ts';

const NAMED = { same: sameGidMatcher, xa: xaMatcher, citus: citusMatcher } as const;

/** Matchers that have a name of their own. */
export const MATCHER_NAMES = ['citus', 'xa', 'same'] as const satisfies readonly (keyof typeof NAMED)[];

/** How a matcher is named in a configuration. */
export type MatcherChoice = (typeof MATCHER_NAMES)[number] | { readonly pattern: string };

/**
 * Those that no cluster has to do without: who uses Citus or XA and does not say so must not have his transactions torn. `same` comes
 * last, since it knows every GID.
 */
export const DEFAULT_MATCHERS: readonly MatcherChoice[] = ['citus', 'xa', 'same'];

/** @throws SyntaxError for a pattern that `patternProblem` refuses */
export function chooseMatchers(choices: readonly MatcherChoice[]): BranchMatcher[] {
  return choices.map((choice) => (typeof choice === 'string' ? NAMED[choice] : patternMatcher(choice.pattern)));
}
