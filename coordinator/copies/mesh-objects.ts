import { NODES_PREFIX, SNAPSHOTS_PREFIX } from '../../shared/repository/layout.ts';

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

const BACKUP_MANIFEST = /^(nodes\/[^/]+\/[^/]+\/backups\/[^/]+\/)manifest\.json\.zst$/;

/** Every mesh object lies below one of them. Snapshots come last, after the backups that they stand on. */
export const MESH_PREFIXES = [NODES_PREFIX, SNAPSHOTS_PREFIX] as const;

export function isMeshObject(path: string): boolean {
  return PATTERNS.some((pattern) => pattern.test(path));
}

/** For a base backup's manifest, the prefix of its packs; null for anything else. */
export function packsOf(path: string): string | null {
  return BACKUP_MANIFEST.exec(path)?.[1] ?? null;
}
