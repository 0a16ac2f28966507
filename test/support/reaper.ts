// Outlives the process that started it, whatever ended that, and leaves nothing behind: when standard input closes, every process
// below the directories given as arguments is ended and they are removed. Started by temporary-directory.ts.
import { existsSync, rmSync } from 'node:fs';
import process from 'node:process';
import { endProcessesBelow, releaseSharedMemoryBelow } from './processes-below.ts';

const directories = new Set(process.argv.slice(2));
if (directories.size === 0) throw new Error('usage: reaper.js DIRECTORY…');

process.chdir('/');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.resume();
process.stdin.once('close', () => {
  for (const directory of directories) void clean(directory);
});

async function clean(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await endProcessesBelow(path);
  releaseSharedMemoryBelow(path);
  rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}
