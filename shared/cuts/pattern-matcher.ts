import type { BranchMatcher } from './branch-matcher.ts';

/** The named group whose text branches of one transaction share. */
const GROUP = 'transaction';
/** PostgreSQL takes no longer GID; one that is longer comes from elsewhere and is not looked at. */
const GID_LENGTH_MAX = 200;
/** With so many, none inside of another, the worst GID takes about ten milliseconds. The search for a start is one, without `^`. */
const REPETITIONS_MAX = 3;
const EXPRESSION_LENGTH_MAX = 500;

/** A regular expression with the named group `transaction`: GIDs with equal text there are of one transaction. */
export function patternMatcher(expression: string): BranchMatcher {
  const pattern = new RegExp(expression, 'u');
  return {
    name: `pattern ${expression}`,
    key: ({ gid }) => {
      if (gid.length > GID_LENGTH_MAX) return null;
      const transaction = pattern.exec(gid)?.groups?.[GROUP];
      return transaction === undefined || transaction === '' ? null : transaction;
    },
  };
}

/**
 * What keeps an expression from being used, in words; null if nothing does. Refused too is what could take for ever on some GID: a
 * repetition within a repetition, a choice within a repetition, and text that is referred to again.
 */
export function patternProblem(expression: string): string | null {
  if (expression.length > EXPRESSION_LENGTH_MAX) return `is longer than ${EXPRESSION_LENGTH_MAX} characters`;
  let orNothing: RegExp;
  try {
    orNothing = new RegExp(`${expression}|`, 'u');
  } catch (error) {
    return `is no regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
  // The expression, or nothing: so the names of its groups are told without a text that fits it.
  return groupProblem(orNothing.exec('')?.groups ?? {}) ?? repetitionProblem(expression);
}

function groupProblem(groups: Readonly<Record<string, unknown>>): string | null {
  return Object.hasOwn(groups, GROUP) ? null : `has no group (?<${GROUP}>…)`;
}

interface Group {
  repeats: boolean;
  /** It can match one text in more than one way. */
  chooses: boolean;
}

/** One element of an expression with the flag `u`; a class, an escape and a counted repetition are one each. */
const TOKEN = /^(?:\\k<|\\[1-9]|\\[pPu]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:<?[=!]|:|<\w+>)|\{\d+(?:,\d*)?\}|.)/su;
const REFERENCE = /^\\(?:k<|[1-9])/;
const REPETITION = /^(?:[*+]|\{\d+(?:,\d*)?\})$/;
/** It can match one text in one way only, so that it takes no time of its own. */
const FIXED_REPETITION = /^\{\d+\}$/;

/** Walks over a valid expression. */
function repetitionProblem(expression: string): string | null {
  let repetitions = 0;
  let closed: Group | null = null;
  let repeated = false;
  const open: Group[] = [];
  for (let rest = expression; rest !== '';) {
    const token = TOKEN.exec(rest)?.[0] ?? rest;
    rest = rest.slice(token.length);
    if (REFERENCE.test(token)) return 'refers to an earlier group, which can take very long';
    const repeats = REPETITION.test(token);
    if (repeats) {
      if (!FIXED_REPETITION.test(token)) repetitions += 1;
      if (closed?.repeats === true) return 'has a repetition within a repetition, which can take very long';
      if (closed?.chooses === true) return 'repeats a choice, which can take very long: use a class such as [ab]';
      for (const outer of open) outer.repeats = true;
    } else if (token.startsWith('(')) {
      open.push({ repeats: false, chooses: false });
    } else if (token === '|' || (token === '?' && !repeated)) {
      for (const outer of open) outer.chooses = true;
    }
    closed = token === ')' ? (open.pop() ?? null) : null;
    repeated = repeats;
  }
  const anchored = expression.startsWith('^') && !expression.includes('|');
  const max = anchored ? REPETITIONS_MAX : REPETITIONS_MAX - 1;
  return repetitions > max
    ? `has ${repetitions} repetitions, more than ${max}${anchored ? '' : ` (${REPETITIONS_MAX} behind a ^, without |)`}`
    : null;
}
