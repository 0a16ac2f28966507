/** What `synchronous_standby_names` says: which standbys a commit waits for. */
export interface SynchronousStandbyNames {
  /** `first`: the first so many of those that are connected, in the order of the list; `any`: whichever. */
  readonly method: 'first' | 'any';
  readonly count: number;
  /** As written, without quotes; `*` matches every standby, also where it is quoted. */
  readonly names: readonly string[];
}

type Token =
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'word'; readonly text: 'any' | 'first' }
  | { readonly kind: 'sign'; readonly text: '(' | ')' | ',' };

/** Sticky, one group for each kind of token: quoted name, star, identifier, number, sign. */
const TOKEN =
  /\s*(?:"((?:[^"]|"")*)"|(\*)|([A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_$\u0080-\u{10ffff}]*)|([0-9]+)|([(),]))/uy;

/**
 * Reads the setting as PostgreSQL does. Null if it is empty (no commit waits), or is not what PostgreSQL would take.
 * Source: src/backend/replication/syncrep_gram.y and syncrep_scanner.l.
 */
export function parseSynchronousStandbyNames(setting: string): SynchronousStandbyNames | null {
  const tokens = tokensOf(setting);
  if (tokens === null || tokens.length === 0) return null;
  const [first, second, third] = tokens;
  if (first?.kind === 'word') {
    if (second?.kind !== 'number' || third?.text !== '(') return null;
    return listOf(first.text, Number(second.text), tokens.slice(2));
  }
  if (first?.kind === 'number' && second?.text === '(') return listOf('first', Number(first.text), tokens.slice(1));
  return namesOf('first', 1, tokens);
}

/** Whether the name in the list is that of a standby, given by its application_name. */
export function matchesStandby(listed: string, applicationName: string): boolean {
  return listed === '*' || lower(listed) === lower(applicationName);
}

/**
 * Whether no commit is released without the standby of that name, whoever else is connected or not: every name of the list has to
 * confirm, and each stands for one standby as long as no two bear one name.
 */
export function waitsForAll({ count, names }: SynchronousStandbyNames): boolean {
  return count >= names.length && !names.includes('*');
}

function tokensOf(setting: string): Token[] | null {
  const tokens: Token[] = [];
  const end = setting.trimEnd().length;
  const pattern = new RegExp(TOKEN);
  while (pattern.lastIndex < end) {
    const match = pattern.exec(setting);
    if (match === null) return null;
    const [, quoted, star, word, number, sign] = match;
    if (quoted !== undefined) {
      if (quoted === '') return null;
      tokens.push({ kind: 'name', text: quoted.replaceAll('""', '"') });
    } else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (sign === '(' || sign === ')' || sign === ',') tokens.push({ kind: 'sign', text: sign });
    else if (word !== undefined && /^(any|first)$/i.test(word)) {
      tokens.push({ kind: 'word', text: word.toLowerCase() === 'any' ? 'any' : 'first' });
    } else tokens.push({ kind: 'name', text: star ?? word ?? '' });
  }
  return tokens;
}

/** A list in parentheses. */
function listOf(method: 'first' | 'any', count: number, tokens: readonly Token[]): SynchronousStandbyNames | null {
  if (tokens[0]?.text !== '(' || tokens.at(-1)?.text !== ')' || count < 1) return null;
  return namesOf(method, count, tokens.slice(1, -1));
}

function namesOf(method: 'first' | 'any', count: number, tokens: readonly Token[]): SynchronousStandbyNames | null {
  const names: string[] = [];
  for (const [index, token] of tokens.entries()) {
    if (index % 2 === 1) {
      if (token.text !== ',' || token.kind !== 'sign') return null;
    } else if (token.kind === 'name' || token.kind === 'number') {
      names.push(token.text);
    } else {
      return null;
    }
  }
  return tokens.length % 2 === 1 ? { method, count, names } : null;
}

/** As PostgreSQL compares these names: ASCII letters only. */
function lower(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
