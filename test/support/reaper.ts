// Outlives the process that started it, whatever ended that, and leaves nothing behind: when standard input closes, every process
// below the directory given as argument is ended and the directory removed. Started by temporary-directory.ts.
import { existsSync, rmSync } from 'node:fs';
import process from 'node:process';
import { endProcessesBelow, releaseSharedMemoryBelow } from './processes-below.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: reaper.js DIRECTORY');

process.chdir('/');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.resume();
process.stdin.once('close', () => {
  void clean(directory);
});

async function clean(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await endProcessesBelow(path);
  releaseSharedMemoryBelow(path);
  rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}
