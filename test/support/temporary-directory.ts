import { spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, statfsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { endProcessesBelow, processesBelow, releaseSharedMemoryBelow } from './processes-below.ts';
import { giveToUnprivilegedUser } from './unprivileged-user.ts';

// A Unix socket's path has room for 107 bytes, and `.s.PGSQL.65535` is one name in a directory of ours.
const BASE_PATH_LENGTH_MAX = 40;

/** A copy of the checkout in the temporary root; belongs to no test. See reachable-checkout.ts. */
export const CHECKOUT_COPY = 'checkout';

const MEMORY_BASE = '/dev/shm';
const MEMORY_BYTES_MIN = 512 * 1024 * 1024;

let roots: readonly [disk: string, memory: string] | undefined;
let counter = 0;

/**
 * A directory that everything of this test run lies below. A reaper process removes it, and ends whatever still runs in it, when
 * this process is gone, even after SIGKILL.
 */
export function temporaryRoot(): string {
  return openRoots()[0];
}

/** The root on disk and, where there is room for one, another in memory; else the same twice. */
function openRoots(): readonly [disk: string, memory: string] {
  if (roots === undefined) {
    const preferred = tmpdir();
    const disk = makeRoot(preferred.length <= BASE_PATH_LENGTH_MAX && writable(preferred) ? preferred : '/tmp');
    roots = [disk, memoryToSpare() ? makeRoot(MEMORY_BASE) : disk];
    const reaper = spawn(process.execPath, [fileURLToPath(new URL('reaper.js', import.meta.url)), ...roots], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    reaper.unref();
    // a pipe's handle keeps the event loop alive unless it is let go of too
    (reaper.stdin as unknown as { unref(): void }).unref();
  }
  return roots;
}

function makeRoot(base: string): string {
  const root = mkdtempSync(path.join(base, 'tm-'));
  chmodSync(root, 0o711);
  return root;
}

function memoryToSpare(): boolean {
  if (!writable(MEMORY_BASE)) return false;
  const { bavail, bsize } = statfsSync(MEMORY_BASE);
  return bavail * bsize > MEMORY_BYTES_MIN;
}

function writable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A directory of the unprivileged user with a short path. Disposing it ends every process that works in it, then removes it. */
export class TemporaryDirectory implements AsyncDisposable {
  readonly path: string;

  private constructor(directory: string) {
    this.path = directory;
  }

  /** @param name a short word that tells what it is for, seen in its path */
  static create(name = 'd'): TemporaryDirectory {
    return TemporaryDirectory.#createIn(openRoots()[0], name);
  }

  /** For little data of a server that waits for the disk too often, such as etcd: in memory where there is room. */
  static createInMemory(name: string): TemporaryDirectory {
    return TemporaryDirectory.#createIn(openRoots()[1], name);
  }

  static #createIn(root: string, name: string): TemporaryDirectory {
    counter += 1;
    const directory = path.join(root, `${name}${counter}`);
    mkdirSync(directory, { mode: 0o755 });
    giveToUnprivilegedUser(directory);
    return new TemporaryDirectory(directory);
  }

  /** Makes a directory below this one, for the unprivileged user; returns its path. */
  subdirectory(name: string, mode = 0o755): string {
    const directory = path.join(this.path, name);
    mkdirSync(directory, { mode });
    giveToUnprivilegedUser(directory);
    return directory;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!existsSync(this.path)) return;
    await endProcessesBelow(this.path);
    releaseSharedMemoryBelow(this.path);
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What a test left behind: living processes and directories, in words. Empty when everything was disposed. */
export function leftovers(): string[] {
  return existingRoots().flatMap((root) => [
    ...processesBelow(root).map(({ pid, command, directory }) => `process ${pid} in ${directory}: ${command}`),
    ...readdirSync(root)
      .filter((name) => name !== CHECKOUT_COPY)
      .map((name) => `directory ${path.join(root, name)}`),
  ]);
}

/** Ends and removes everything that this run made. Nothing can be created afterwards. */
export async function removeEverything(): Promise<void> {
  for (const root of existingRoots()) {
    await endProcessesBelow(root);
    releaseSharedMemoryBelow(root);
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function existingRoots(): string[] {
  return [...new Set(roots ?? [])].filter((root) => existsSync(root));
}
