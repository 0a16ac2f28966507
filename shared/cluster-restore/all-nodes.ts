import type { Progress } from '../admin/progress.ts';

/**
 * Runs a step on all nodes at once and gives their progress, the latest of each node, as fast as it is taken. Ends when the
 * step has ended on every node; after the first failure the others are aborted and waited for.
 * @throws the first failure
 * @returns each node's result, in the order of the nodes
 */
export async function* onAllNodes<Target, Result>(
  targets: readonly Target[],
  signal: AbortSignal,
  step: (target: Target, report: (progress: Progress) => void, signal: AbortSignal) => Promise<Result>,
): AsyncGenerator<Progress, readonly Result[]> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const latest = new Map<Target, Progress>();
  let wake = () => {};
  const running = new Set(targets);
  let failure: { readonly error: unknown } | null = null;
  const results = targets.map(async (target) => {
    try {
      const report = (progress: Progress) => {
        latest.set(target, progress);
        wake();
      };
      return await step(target, report, both);
    } catch (error) {
      failure ??= { error };
      failed.abort(new Error('the step failed on another node'));
      return null;
    } finally {
      running.delete(target);
      wake();
    }
  });
  try {
    while (running.size > 0 || latest.size > 0) {
      for (const [target, progress] of latest) {
        latest.delete(target);
        yield progress;
      }
      if (running.size > 0 && latest.size === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    // Left early: nobody is interested any more.
    if (running.size > 0) {
      failed.abort(new Error('the restore was left'));
    }
    await Promise.all(results);
  }
  signal.throwIfAborted();
  if (failure !== null) {
    throw (failure as { readonly error: unknown }).error;
  }
  return (await Promise.all(results)) as readonly Result[];
}
