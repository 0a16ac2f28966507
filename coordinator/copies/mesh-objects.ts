import { manifestBelow, NODES_PREFIX, SNAPSHOTS_PREFIX } from '../../shared/repository/layout.ts';

/**
 * The objects that every coordinator fetches from every other: snapshots, base backups, timeline histories, declared gaps. Finished WAL segments are
 * not among them: every copy makes its own from the journal.
 */
const PATTERNS = [
  /^snapshots\/[^/]+\.json$/,
  /^nodes\/[^/]+\/[^/]+\/backups\/[^/]+\/[^/]+$/,
  /^nodes\/[^/]+\/[^/]+\/wal\/[0-9A-F]{8}\.history$/,
  /^nodes\/[^/]+\/[^/]+\/gaps\/[^/]+\.json$/,
] as const;

const BACKUP_OBJECT = /^(nodes\/[^/]+\/[^/]+\/backups\/[^/]+\/)[^/]+$/;

/** Every mesh object lies below one of them. Snapshots come last, after the backups that they stand on. */
export const MESH_PREFIXES = [NODES_PREFIX, SNAPSHOTS_PREFIX] as const;

export function isMeshObject(path: string): boolean {
  return PATTERNS.some((pattern) => pattern.test(path));
}

/** The prefix of the base backup that an object belongs to; null if it belongs to none. */
export function backupOf(path: string): string | null {
  return BACKUP_OBJECT.exec(path)?.[1] ?? null;
}

export function isBackupManifest(path: string): boolean {
  const prefix = backupOf(path);
  return prefix !== null && path === manifestBelow(prefix);
}
