/** What a file name in a database's directory says (`src/common/relpath.c`). */
export interface RelationFile {
  readonly relation: string;
  readonly fork: 'main' | 'fsm' | 'vm' | 'init';
  /** Relations are cut into files of 1 GiB (a build option), counted from 0. */
  readonly segment: number;
}

const RELATION = /^([1-9]\d{0,9})(?:_(fsm|vm|init))?(?:\.([1-9]\d*))?$/;
const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;

/** Null if the name is not that of a permanent or unlogged relation's file. */
export function parseRelationFile(name: string): RelationFile | null {
  const match = RELATION.exec(name);
  if (match === null) return null;
  return {
    relation: match[1] ?? '',
    fork: (match[2] as 'fsm' | 'vm' | 'init' | undefined) ?? 'main',
    segment: match[3] === undefined ? 0 : Number(match[3]),
  };
}

/** A session's temporary table: nobody can see it after a restore. */
export function isTemporaryRelation(name: string): boolean {
  return TEMPORARY_RELATION.test(name);
}

/**
 * Whether relations lie in this directory: `global`, `base/<database>`, `pg_tblspc/<oid>/PG_…/<database>`. The path is
 * relative to the data directory.
 */
export function isRelationDirectory(path: string): boolean {
  return path === 'global' || /^base\/\d+$/.test(path) || /^pg_tblspc\/\d+\/PG_[^/]+\/\d+$/.test(path);
}
