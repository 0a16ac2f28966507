import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { InDoubtBranch } from './restore-request.ts';
import type { PreparedTransaction } from './restore-state.ts';
import type { RestoredServer } from './restored-server.ts';

export async function listPrepared(server: RestoredServer): Promise<PreparedTransaction[]> {
  const rows = await server.query<{ gid: string; xid: string; database: string; oid: string }>(
    `SELECT gid, transaction::text AS xid, database, d.oid::text AS oid
       FROM pg_prepared_xacts p JOIN pg_database d ON d.datname = p.database ORDER BY gid`,
  );
  return rows.map(({ gid, xid, database, oid }) => ({ gid, xid: Number(xid), database, databaseOid: Number(oid) }));
}

/** What is to be done with one prepared transaction. */
export interface Resolution extends PreparedTransaction {
  readonly commit: boolean;
}

/**
 * Matches what is prepared with what was predicted. The sets must be equal; once resolving has begun, some may be gone.
 * @throws TidemarkError TM-RESTORE-005
 */
export function matchInDoubt(
  prepared: readonly PreparedTransaction[],
  expected: readonly InDoubtBranch[],
  begun: boolean,
): readonly Resolution[] {
  const left = new Map(expected.map((branch) => [branch.gid, branch]));
  const problems: string[] = left.size === expected.length ? [] : ['the prediction names a GID twice'];
  const resolutions: Resolution[] = [];
  for (const found of prepared) {
    const branch = left.get(found.gid);
    left.delete(found.gid);
    if (branch === undefined) {
      problems.push(`${found.gid} is prepared and was not predicted`);
    } else if (
      (branch.xid !== 0 && branch.xid !== found.xid) ||
      (branch.databaseOid !== 0 && branch.databaseOid !== found.databaseOid)
    ) {
      problems.push(
        `${found.gid} is transaction ${found.xid} of database ${found.databaseOid}, predicted were ${branch.xid} and ${branch.databaseOid}`,
      );
    } else {
      resolutions.push({ ...found, commit: branch.commit });
    }
  }
  if (!begun) problems.push(...[...left.keys()].map((gid) => `${gid} was predicted and is not prepared`));
  if (problems.length > 0) {
    throw new TidemarkError('TM-RESTORE-005', problems.join('; '));
  }
  return resolutions;
}

/** Carries the decisions out, each in the transaction's own database. */
export async function resolveInDoubt(server: RestoredServer, resolutions: readonly Resolution[]): Promise<void> {
  for (const { gid, database, commit } of resolutions) {
    const literal = `'${gid.replaceAll("'", "''")}'`;
    await server.query(`${commit ? 'COMMIT' : 'ROLLBACK'} PREPARED ${literal}`, { database });
  }
}
