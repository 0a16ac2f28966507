/**
 * Which blocks of which files a run of WAL changed: what an incremental backup has to read. It may name more than what changed,
 * never less. Two of them are joined by {@link joinChangedBlocks}, in any order, as often as one likes: what is changed in one of them is
 * changed in both together.
 *
 * PostgreSQL does not log every change of a free space map, so these are not here: copy them whole. And clearing a bit of a visibility
 * map goes without a reference to its block: see `changedBlocksBetween`. Of unlogged relations only the init fork is logged.
 */
export interface ChangedBlocks {
  /** Made or dropped: every file that they have here is new. Sorted by tablespace, then database. */
  readonly databases: readonly ChangedDatabase[];
  /** Sorted by tablespace, database, relation, fork; none of a database that is in `databases`. */
  readonly forks: readonly ChangedFork[];
}

export interface ChangedDatabase {
  readonly tablespaceOid: number;
  readonly databaseOid: number;
}

/** One file of a relation. */
export interface ChangedFork extends ChangedDatabase {
  readonly relationNumber: number;
  readonly fork: number;
  /** The file had this many blocks at some moment, or none: from here on all of it is new. {@link NO_LIMIT} if that is not so. */
  readonly limitBlock: number;
  /** Pairs of first block and one past the last, ascending, neither overlapping nor touching, all below `limitBlock`. */
  readonly ranges: Uint32Array;
}

/** PostgreSQL's numbers of forks. */
export const FORK = { main: 0, freeSpaceMap: 1, visibilityMap: 2, init: 3 } as const;

/** No block has this number: PostgreSQL's InvalidBlockNumber. */
export const NO_LIMIT = 0xffff_ffff;

export const NO_CHANGED_BLOCKS: ChangedBlocks = { databases: [], forks: [] };

/** Negative, zero or positive, as the first comes before, with or after the second. */
export function compareDatabases(a: ChangedDatabase, b: ChangedDatabase): number {
  return a.tablespaceOid - b.tablespaceOid || a.databaseOid - b.databaseOid;
}

/** As {@link compareDatabases}, of files. */
export function compareForks(
  a: Pick<ChangedFork, 'tablespaceOid' | 'databaseOid' | 'relationNumber' | 'fork'>,
  b: Pick<ChangedFork, 'tablespaceOid' | 'databaseOid' | 'relationNumber' | 'fork'>,
): number {
  return compareDatabases(a, b) || a.relationNumber - b.relationNumber || a.fork - b.fork;
}

/** What is changed in any of the two. */
export function joinChangedBlocks(a: ChangedBlocks, b: ChangedBlocks): ChangedBlocks {
  const databases = joinSorted(a.databases, b.databases, compareDatabases, (one) => one);
  const forks = joinSorted(a.forks, b.forks, compareForks, joinForks);
  if (databases.length === 0) return { databases, forks };
  const whole = new Set(databases.map(databaseKey));
  return { databases, forks: forks.filter((fork) => !whole.has(databaseKey(fork))) };
}

/** For sets of databases. */
export function databaseKey({ tablespaceOid, databaseOid }: ChangedDatabase): string {
  return `${tablespaceOid}/${databaseOid}`;
}

function joinSorted<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
  joinEqual: (a: T, b: T) => T,
): readonly T[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const joined: T[] = [];
  let left = 0;
  let right = 0;
  while (left < a.length || right < b.length) {
    const one = a[left];
    const other = b[right];
    const order = one === undefined ? 1 : other === undefined ? -1 : compare(one, other);
    if (order <= 0) left++;
    if (order >= 0) right++;
    if (order === 0) joined.push(joinEqual(one as T, other as T));
    else joined.push((order < 0 ? one : other) as T);
  }
  return joined;
}

function joinForks(a: ChangedFork, b: ChangedFork): ChangedFork {
  const limitBlock = Math.min(a.limitBlock, b.limitBlock);
  return { ...a, limitBlock, ranges: joinRanges(a.ranges, b.ranges, limitBlock) };
}

/** @param limitBlock what lies at or behind it is left out */
export function joinRanges(a: Uint32Array, b: Uint32Array, limitBlock: number): Uint32Array {
  const joined = new Uint32Array(a.length + b.length);
  let length = 0;
  let left = 0;
  let right = 0;
  while (left < a.length || right < b.length) {
    // No block has the number NO_LIMIT, so what has run out comes last.
    const fromLeft = (a[left] ?? NO_LIMIT) <= (b[right] ?? NO_LIMIT);
    const source = fromLeft ? a : b;
    const at = fromLeft ? left : right;
    const first = source[at] ?? 0;
    const end = Math.min(source[at + 1] ?? 0, limitBlock);
    if (fromLeft) left += 2;
    else right += 2;
    if (first >= limitBlock) break;
    const before = joined[length - 1] ?? 0;
    if (length > 0 && first <= before) {
      joined[length - 1] = Math.max(before, end);
    } else {
      joined[length++] = first;
      joined[length++] = end;
    }
  }
  return length === joined.length ? joined : joined.slice(0, length);
}
