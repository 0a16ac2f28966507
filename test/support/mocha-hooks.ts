import { leftovers, removeEverything } from './temporary-directory.ts';

/** Loaded by .mocharc.json: a run that leaves a process or a directory behind fails. */
export const mochaHooks = {
  async afterAll(): Promise<void> {
    const left = leftovers();
    await removeEverything();
    if (left.length > 0) {
      throw new Error(`tests left behind what they should have disposed of:\n  ${left.join('\n  ')}`);
    }
  },
};
