import { formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';

/**
 * A domain value as the JSON that `--json` prints. Keys in snake_case. By a key's end: `…Lsn` becomes PostgreSQL's text form; `…Us`
 * that is a time (a bigint) becomes RFC 3339 with microseconds, without the end (`startedAtUs` is `started_at`). Other bigints become
 * numbers where they are exact, else text.
 */
export function toJson(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(toJson);
  }
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, child]: [string, unknown]) => {
      if (typeof child === 'bigint' && key.endsWith('Lsn')) {
        return [snakeCase(key), formatLsn(child as Lsn)];
      }
      if (typeof child === 'bigint' && key.endsWith('Us')) {
        return [snakeCase(key.slice(0, -2)), timeOf(child)];
      }
      return [snakeCase(key), toJson(child)];
    }),
  );
}

function timeOf(timeUs: bigint): string {
  const seconds = new Date(Number(timeUs / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${(timeUs % 1_000_000n).toString().padStart(6, '0')}Z`;
}

/** Names that are data (a node, a setting) are keys too; only camelCase is touched. */
function snakeCase(key: string): string {
  return /^[a-z][A-Za-z0-9]*$/.test(key) ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : key;
}
