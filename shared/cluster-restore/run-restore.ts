import type { RestoreEvent, RestoreRequest } from '../admin/restore.ts';
import { summarizeSnapshot } from '../admin/snapshot.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { RestorePlan } from '../restore-plan/restore-plan.ts';
import type { Channel } from '../rpc/channel.ts';
import { RestoreTargetClient } from '../rpc/restore-target-client.ts';
import { matchTargets, restoreCluster, restoreIdOf } from './cluster-restore.ts';
import type { BackupSource } from './restore-target.ts';

export interface RunRestoreOptions {
  readonly plan: RestorePlan;
  readonly request: RestoreRequest;
  readonly source: BackupSource;
  /** Opens a channel to an agent; it is closed at the end. */
  readonly dial: (address: string) => Channel;
  readonly clock: Clock;
  /** That hold the snapshot; for the report. */
  readonly dataCenters: readonly string[];
}

/**
 * Carries a plan out over the agents of its targets. The report is the last event.
 * @throws TidemarkError TM-RESTORE-003 to 006, or what an agent said
 */
export async function* runRestore(options: RunRestoreOptions, signal: AbortSignal): AsyncIterable<RestoreEvent> {
  const { plan, request, clock } = options;
  const startedMs = clock.monotonicMs();
  const restoreId = restoreIdOf(plan.snapshot.id, request.targets);
  const matched = matchTargets(plan, request.targets);
  const channels: Channel[] = [];
  try {
    const nodes = matched.map((node) => {
      const channel = options.dial(node.spec.agentAddress);
      channels.push(channel);
      return { ...node, target: new RestoreTargetClient(node.plan.node, channel) };
    });
    const { assertions, settings, pause } = request;
    const steps = restoreCluster(
      { restoreId, plan, nodes, source: options.source, assertions, settings, pause },
      signal,
    );
    let next = await steps.next();
    try {
      for (; next.done !== true; next = await steps.next()) {
        yield { kind: 'progress', progress: next.value };
      }
    } finally {
      // Left early: the nodes are abandoned.
      if (next.done !== true) {
        await steps.return({ nodes: [], paused: false });
      }
    }
    const snapshot = summarizeSnapshot(plan.snapshot, { dataCenters: options.dataCenters, restorable: true });
    const durationMs = clock.monotonicMs() - startedMs;
    yield { kind: 'report', report: { restoreId, snapshot, ...next.value, durationMs } };
  } finally {
    for (const channel of channels) {
      channel.close();
    }
  }
}
