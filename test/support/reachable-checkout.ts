import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { CHECKOUT_COPY, temporaryRoot } from './temporary-directory.ts';
import { unprivilegedUser } from './unprivileged-user.ts';

/** The checkout as children see it. */
export interface ReachableCheckout {
  readonly root: string;
  /** The node program. */
  readonly node: string;
}

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const SAMPLE_FILE = 'node_modules/pg/package.json';

let cached: ReachableCheckout | undefined;

/**
 * Where children find the compiled programs, node_modules and node itself. Root's checkout may lie where nobody else may look
 * (below /root): then it is copied to where the unprivileged user can.
 */
export function reachableCheckout(): ReachableCheckout {
  cached ??= find();
  return cached;
}

function find(): ReachableCheckout {
  const own = { root: CHECKOUT, node: process.execPath };
  const needed = [path.join(CHECKOUT, 'package.json'), path.join(CHECKOUT, SAMPLE_FILE), own.node];
  if (unprivilegedUser() === null || needed.every(readableByChildren)) return own;
  const copy = path.join(temporaryRoot(), CHECKOUT_COPY);
  mkdirSync(copy, { mode: 0o755 });
  const sources = ['package.json', 'dist', 'proto', 'node_modules'].map((name) => path.join(CHECKOUT, name));
  // links are quick, but need one file system, and permissions that let others read
  if (!succeeds('cp', ['-alH', ...sources, copy]) || !readableByChildren(path.join(copy, SAMPLE_FILE))) {
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { mode: 0o755 });
    run('cp', ['-aH', ...sources, copy]);
    run('chmod', ['-R', 'a+rX', copy]);
  }
  run('cp', ['-aL', process.execPath, path.join(copy, 'node')]);
  return { root: copy, node: path.join(copy, 'node') };
}

function readableByChildren(file: string): boolean {
  const user = unprivilegedUser();
  const credentials = user === null ? {} : { uid: user.uid, gid: user.gid };
  return spawnSync('test', ['-r', file], { ...credentials, cwd: '/' }).status === 0;
}

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed while the checkout was copied for children: ${stderr}`);
}
