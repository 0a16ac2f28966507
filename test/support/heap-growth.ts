import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Ends with nothing left to collect. What is collected is finalized in a turn of its own. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 3; turn++) {
    await new Promise(setImmediate);
    collect();
  }
}

/** How many bytes more are held after some work than before, once it has been done before. */
export async function heapGrowth(work: () => Promise<void>): Promise<number> {
  await work();
  await collectGarbage();
  const before = process.memoryUsage().heapUsed;
  await work();
  await collectGarbage();
  return process.memoryUsage().heapUsed - before;
}
