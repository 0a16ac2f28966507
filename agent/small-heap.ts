import process from 'node:process';
import { setFlagsFromString } from 'node:v8';

const AGAIN_MS = 5;

/**
 * Imported first, for what it does: the memory that the agent takes is taken from PostgreSQL beside it. Its bytes lie in buffers outside of V8's
 * heap, and of what is in the heap, all that is young dies at once. So the space for young objects stays at its first size, 1 MiB instead of 16
 * times that: the sooner it is full, the sooner the buffers of what has died in it are given back. And the old space is
 * collected before it has grown by more than a sixth, which costs a few hundredths of a second a minute.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=15');
}

keepHeapSmall();
// Making a thread's heap sets the first of them to at least 2, for the whole process, at some moment before the thread is online.
process.on('worker', (worker) => {
  const again = setInterval(keepHeapSmall, AGAIN_MS);
  const end = (): void => {
    clearInterval(again);
    keepHeapSmall();
  };
  worker.once('online', end).once('exit', end);
});
