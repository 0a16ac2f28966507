import { TidemarkError } from '../errors/tidemark-error.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { WalStreamKey } from '../wal/change-set.ts';

/**
 * The names of everything in a repository. A name from outside (a configuration, a manifest, a request) passes through
 * here before it becomes part of a path.
 */
export const REPOSITORY_FORMAT = 1;
export const REPOSITORY_MANIFEST_PATH = 'tidemark.json';
export const SNAPSHOTS_PREFIX = 'snapshots/';
export const NODES_PREFIX = 'nodes/';
/** Segments that are not finished yet, in the same form as finished ones; grows, and is not an object. */
export const JOURNAL_PREFIX = 'journal/';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** @throws TidemarkError TM-REPO-006 unless the text is a plain name: letters, digits, `.`, `_`, `-`; 63 at most */
export function checkName(what: string, text: string): string {
  if (!NAME.test(text)) {
    throw new TidemarkError('TM-REPO-006', `${what} ${JSON.stringify(text)} is not a plain name`, {
      hint: 'Use letters, digits, ".", "_" and "-"; at most 63, the first a letter or digit.',
    });
  }
  return text;
}

/** @throws TidemarkError TM-REPO-006 for an absolute path, an empty part, `.`, `..`, a backslash or a control character */
export function checkRelativePath(what: string, path: string): string {
  const bad =
    path.length === 0 ||
    path.length > 4096 ||
    // eslint-disable-next-line no-control-regex
    /[\\\u0000-\u001f\u007f]/.test(path) ||
    path.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (bad) {
    throw new TidemarkError('TM-REPO-006', `${what} ${JSON.stringify(path)} leaves its place`);
  }
  return path;
}

/** Eight hexadecimal digits, as PostgreSQL writes a timeline in file names. */
export function timelineName(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0');
}

/** `nodes/<node>/<system identifier>/` */
export function nodePrefix(node: string, systemIdentifier: string): string {
  return `${NODES_PREFIX}${checkName('node', node)}/${checkName('system identifier', systemIdentifier)}/`;
}

/** `nodes/<node>/<system identifier>/wal/<timeline>/` */
export function walPrefix(stream: WalStreamKey): string {
  return `${nodePrefix(stream.node, stream.systemIdentifier)}wal/${timelineName(stream.timeline)}/`;
}

/** A finished segment: `<segment>` is PostgreSQL's 24-digit file name. */
export function walSegmentPath(stream: WalStreamKey, segment: string): string {
  return `${walPrefix(stream)}${segment}.zst`;
}

/** The index beside a finished segment. */
export function walIndexPath(stream: WalStreamKey, segment: string): string {
  return `${walPrefix(stream)}${segment}.idx`;
}

/** A timeline's history file. */
export function historyPath(node: string, systemIdentifier: string, timeline: number): string {
  return `${nodePrefix(node, systemIdentifier)}wal/${timelineName(timeline)}.history`;
}

/** `nodes/<node>/<system identifier>/gaps/`: what is known to be missing of its WAL. */
export function gapsPrefix(node: string, systemIdentifier: string): string {
  return `${nodePrefix(node, systemIdentifier)}gaps/`;
}

/** `<timeline>-<start>-<end>-<term>.json`, in hexadecimal but for the term. */
export function gapPath(stream: WalStreamKey, startLsn: Lsn, endLsn: Lsn, term: bigint): string {
  const [start, end] = [startLsn, endLsn].map((lsn) => lsn.toString(16).toUpperCase().padStart(16, '0'));
  return `${gapsPrefix(stream.node, stream.systemIdentifier)}${timelineName(stream.timeline)}-${start}-${end}-${term}.json`;
}

/** `journal/<node>/<system identifier>/<timeline>/` */
export function journalPrefix(stream: WalStreamKey): string {
  return `${JOURNAL_PREFIX}${checkName('node', stream.node)}/${checkName('system identifier', stream.systemIdentifier)}/${timelineName(stream.timeline)}/`;
}

/** A segment that is still being received. */
export function journalSegmentPath(stream: WalStreamKey, segment: string): string {
  return `${journalPrefix(stream)}${segment}.zst`;
}

/** `nodes/<node>/<system identifier>/backups/<id>/` */
export function backupPrefix(node: string, systemIdentifier: string, backupId: string): string {
  return `${nodePrefix(node, systemIdentifier)}backups/${checkName('backup', backupId)}/`;
}

export function backupManifestPath(node: string, systemIdentifier: string, backupId: string): string {
  return manifestBelow(backupPrefix(node, systemIdentifier, backupId));
}

/** The manifest of the backup whose objects lie below `prefix`. */
export function manifestBelow(prefix: string): string {
  return `${prefix}manifest.json.zst`;
}

/** Pack `number` of a backup, counted from 0. */
export function backupPackPath(node: string, systemIdentifier: string, backupId: string, number: number): string {
  return `${backupPrefix(node, systemIdentifier, backupId)}${number.toString().padStart(6, '0')}.pack`;
}

export function snapshotPath(snapshotId: string): string {
  return `${SNAPSHOTS_PREFIX}${checkName('snapshot', snapshotId)}.json`;
}
