import { chownSync, readFileSync } from 'node:fs';
import process from 'node:process';

/** Whom child processes run as. */
export interface ChildUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

let cached: ChildUser | null | undefined;

/**
 * PostgreSQL refuses to run as root, so children of root run as `postgres` where that user exists, else as `nobody`. Null for
 * an ordinary user: children run as itself.
 * @throws Error if root finds neither user
 */
export function unprivilegedUser(): ChildUser | null {
  cached ??= find();
  return cached;
}

function find(): ChildUser | null {
  if (process.getuid?.() !== 0) return null;
  const accounts = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name = '', , uid, gid]) => [name, { name, uid: Number(uid), gid: Number(gid) }]),
  );
  const user = accounts.get('postgres') ?? accounts.get('nobody');
  if (user === undefined || !Number.isInteger(user.uid) || user.uid === 0) {
    throw new Error('running as root, but /etc/passwd has neither "postgres" nor "nobody" to run PostgreSQL as');
  }
  return user;
}

/** Makes a path belong to {@link unprivilegedUser}; nothing to do for an ordinary user. */
export function giveToUnprivilegedUser(path: string): void {
  const user = unprivilegedUser();
  if (user !== null) chownSync(path, user.uid, user.gid);
}
