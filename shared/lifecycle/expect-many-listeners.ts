import { setMaxListeners } from 'node:events';

/** More on one signal are a leak. */
const LISTENERS_MAX = 1_000;

/** One signal ends the work on all nodes, so that it has a listener or more for each. Node warns of more than ten. */
export function expectManyListeners(): void {
  setMaxListeners(LISTENERS_MAX);
}
