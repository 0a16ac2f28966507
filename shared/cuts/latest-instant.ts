import type { TimeSpan } from './node-clock.ts';

/** An instant is looked for so long before the moment that was asked for, and no longer. */
export const INSTANT_WITHIN_US = 20_000;

/** What one node's scan for a moment says of the time right before it. */
export interface BeforeMoment {
  /** Of the commits of which it is not known on which side of each such time they were. */
  readonly unsure: readonly TimeSpan[];
  /** Of what was before this it cannot be told. */
  readonly notBeforeUs: number;
}

/**
 * The latest moment, not after a given one, at which on every node each commit is known to lie on one side: its time was taken by then, or
 * it was inserted later. Null if there is none near enough.
 */
export function latestInstant(momentUs: number, nodes: readonly BeforeMoment[]): number | null {
  const unsure = nodes.flatMap((node) => node.unsure).sort((a, b) => b.earliestUs - a.earliestUs);
  let instantUs = momentUs;
  // Whichever began later than the one at hand lies behind the instant already.
  for (const { earliestUs, latestUs } of unsure) {
    if (earliestUs <= instantUs && latestUs > instantUs) instantUs = Math.ceil(earliestUs) - 1;
  }
  const leastUs = Math.max(momentUs - INSTANT_WITHIN_US, ...nodes.map(({ notBeforeUs }) => notBeforeUs));
  return instantUs >= leastUs ? instantUs : null;
}
