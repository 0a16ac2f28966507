import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that works in some directory. */
export interface ProcessBelow {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
  readonly directory: string;
}

/**
 * Every living process whose working directory lies in `directory` or below. PostgreSQL's processes work in their data
 * directory and all other children are started in a temporary one, so this finds grandchildren and daemons too.
 */
export function processesBelow(directory: string): ProcessBelow[] {
  const found: ProcessBelow[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const details = inspect(Number(entry), directory);
    if (details !== null) found.push(details);
  }
  return found;
}

function inspect(pid: number, directory: string): ProcessBelow | null {
  try {
    const workingDirectory = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '');
    if (workingDirectory !== directory && !workingDirectory.startsWith(`${directory}/`)) return null;
    // "pid (name) state ppid …": the name may hold spaces and parentheses
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parentPid] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z') return null;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, parentPid: Number(parentPid), command, directory: workingDirectory };
  } catch {
    return null; // it ended meanwhile, or belongs to somebody else
  }
}

/** Sends a signal; a process that is gone already is not an error. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone
  }
}

/**
 * Ends every process below `directory`: first with SIGQUIT, on which PostgreSQL leaves at once but gives its shared memory
 * back, then with SIGKILL.
 */
export async function endProcessesBelow(directory: string, graceMs = 3000): Promise<void> {
  const giveUpAt = performance.now() + graceMs;
  let running = processesBelow(directory);
  for (const { pid } of running) {
    signalQuietly(pid, 'SIGCONT');
    signalQuietly(pid, 'SIGQUIT');
  }
  while (running.length > 0 && performance.now() < giveUpAt) {
    await delay(20);
    running = processesBelow(directory);
  }
  for (let round = 0; running.length > 0 && round < 200; round++) {
    for (const { pid } of running) signalQuietly(pid, 'SIGKILL');
    await delay(20);
    running = processesBelow(directory);
  }
}

/**
 * Removes the System V shared memory that a postmaster left behind when it was killed with SIGKILL, for each data directory in
 * `directory` or directly below it. Nobody may be running there any more.
 */
export function releaseSharedMemoryBelow(directory: string, depth = 3): void {
  const lockFile = path.join(directory, 'postmaster.pid');
  if (existsSync(lockFile)) {
    const segment = readFileSync(lockFile, 'utf8').split('\n')[6]?.trim().split(/\s+/)[1];
    if (segment !== undefined && /^\d+$/.test(segment)) spawnSync('ipcrm', ['-m', segment], { stdio: 'ignore' });
    return;
  }
  if (depth === 0) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) releaseSharedMemoryBelow(path.join(directory, entry.name), depth - 1);
  }
}
