import { isAbsolute, normalize, relative } from 'node:path';
import { z } from 'zod';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn, type Lsn, parseLsn } from '../../shared/postgres/lsn.ts';
import { isSegmentSize } from '../../shared/postgres/wal-segment.ts';
import { checkName } from '../../shared/repository/layout.ts';

const lsnText = z.codec(z.string(), z.custom<Lsn>(), {
  decode: (text) => parseLsn(text),
  encode: (value) => formatLsn(value),
});

/** A branch that is prepared at the cut, and what the snapshot decided. */
export const inDoubtBranch = z.strictObject({
  gid: z.string(),
  xid: z.number().int(),
  databaseOid: z.number().int(),
  commit: z.boolean(),
});

export const restoreSource = z.discriminatedUnion('kind', [
  /** A directory on this host. */
  z.strictObject({ kind: z.literal('repository'), path: z.string().min(1) }),
  /** Tried in order. */
  z.strictObject({ kind: z.literal('coordinators'), addresses: z.array(z.string()).min(1) }),
]);

/** What a restore of one node is asked to do. Kept in the state file, in this form. */
export const restoreRequest = z.strictObject({
  restoreId: z.string(),
  node: z.string(),
  systemIdentifier: z.string(),
  /** Of the target. */
  timeline: z.number().int().min(1),
  backupId: z.string(),
  /** Start of the last record to be included. */
  targetLsn: lsnText,
  /** Start of the first segment needed. */
  walFromLsn: lsnText,
  /** One past the last byte of WAL needed. */
  walEndLsn: lsnText,
  walSegmentBytes: z.number().int(),
  directory: z.string(),
  /** 0: as in the backed-up configuration. */
  port: z.number().int().min(0).max(65535),
  source: restoreSource,
  /** By the tablespace's OID. */
  tablespaceDirectories: z.record(z.string(), z.string()),
  expectedInDoubt: z.array(inDoubtBranch),
  /** For the opened server. */
  settings: z.record(z.string(), z.string()),
});

export type RestoreRequest = z.output<typeof restoreRequest>;
export type RestoreSource = z.output<typeof restoreSource>;
export type InDoubtBranch = z.output<typeof inDoubtBranch>;

const SETTING_NAME = /^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$/;

/**
 * Checks what only looks right.
 * @throws TidemarkError TM-REPO-006 for a name or directory, TM-RESTORE-001 for positions that cannot be
 */
export function checkRestoreRequest(request: RestoreRequest): void {
  checkName('restore', request.restoreId);
  checkName('node', request.node);
  checkName('backup', request.backupId);
  const directories = [request.directory, ...Object.values(request.tablespaceDirectories)];
  for (const [index, directory] of directories.entries()) {
    checkDirectory(directory);
    for (const other of directories.slice(index + 1)) {
      if (isInside(directory, other) || isInside(other, directory)) {
        throw new TidemarkError('TM-REPO-006', `${directory} and ${other} lie in each other`, {
          hint: 'Name a directory of its own for the data and for each tablespace.',
        });
      }
    }
  }
  for (const [name, value] of Object.entries(request.settings)) {
    if (!SETTING_NAME.test(name) || /[\n\r\0]/.test(value)) {
      throw new TidemarkError('TM-USAGE-001', `${JSON.stringify(name)} is not a setting, or its value is not one line`);
    }
  }
  const { walFromLsn, targetLsn, walEndLsn, walSegmentBytes } = request;
  const aligned = isSegmentSize(walSegmentBytes) && walFromLsn % BigInt(walSegmentBytes) === 0n;
  if (!aligned || walFromLsn > targetLsn || targetLsn >= walEndLsn) {
    throw new TidemarkError(
      'TM-RESTORE-001',
      `the target ${formatLsn(targetLsn)} does not lie in the WAL from ${formatLsn(walFromLsn)} to ${formatLsn(walEndLsn)}`,
    );
  }
}

function checkDirectory(directory: string): void {
  const plain = isAbsolute(directory) && normalize(directory) === directory && !directory.endsWith('/');
  // eslint-disable-next-line no-control-regex
  if (!plain || /[\u0000-\u001f\u007f]/.test(directory)) {
    throw new TidemarkError('TM-REPO-006', `${JSON.stringify(directory)} is not a plain absolute path`);
  }
}

function isInside(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || (!path.startsWith('..') && !isAbsolute(path));
}
