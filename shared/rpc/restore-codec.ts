import type {
  NodePlanSummary,
  RestoreEvent,
  RestorePlanSummary,
  RestoreReport,
  RestoreRequest,
  RestoreTargetSpec,
} from '../admin/restore.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import {
  decisionFromMessage,
  decisionToMessage,
  lsnFromMessage,
  progressFromMessage,
  progressToMessage,
  snapshotFromMessage,
  snapshotToMessage,
  timeFromMessage,
} from './admin-codec.ts';
import type { NodeRestorePlan, NodeRestorePlan__Output } from './generated/tidemark/v1/NodeRestorePlan.ts';
import type {
  RestoreEvent as RestoreEventMessage,
  RestoreEvent__Output,
} from './generated/tidemark/v1/RestoreEvent.ts';
import type { RestorePlan, RestorePlan__Output } from './generated/tidemark/v1/RestorePlan.ts';
import type {
  RestoreReport as RestoreReportMessage,
  RestoreReport__Output,
} from './generated/tidemark/v1/RestoreReport.ts';
import type {
  RestoreRequest as RestoreRequestMessage,
  RestoreRequest__Output,
} from './generated/tidemark/v1/RestoreRequest.ts';
import type { Snapshot__Output } from './generated/tidemark/v1/Snapshot.ts';

export function restoreRequestToMessage(request: RestoreRequest): RestoreRequestMessage {
  return {
    snapshotId: request.snapshotId,
    targets: request.targets.map((target) => ({
      ...target,
      tablespaceDirectories: { ...target.tablespaceDirectories },
    })),
    pause: request.pause,
    assertions: [...request.assertions],
    settings: { ...request.settings },
    timeUs: (request.timeUs ?? 0n).toString(),
  };
}

/** @throws TidemarkError TM-USAGE-001 if the snapshot or a part of a target is missing */
export function restoreRequestFromMessage(message: RestoreRequest__Output): RestoreRequest {
  const timeUs = BigInt(message.timeUs);
  if (message.snapshotId === '' && timeUs === 0n) {
    throw new TidemarkError('TM-USAGE-001', 'a restore must name a snapshot or a time', {
      hint: 'Give its id, or latest.',
    });
  }
  const targets = message.targets.map((target): RestoreTargetSpec => {
    if (target.node === '' || target.agentAddress === '' || target.directory === '' || target.port > 65535) {
      throw new TidemarkError('TM-USAGE-001', `a target of the restore is not whole: ${JSON.stringify(target)}`, {
        hint: 'Each names a node, its agent, a directory, and a port or 0.',
      });
    }
    return { ...target };
  });
  const { snapshotId, pause, assertions, settings } = message;
  return {
    snapshotId,
    targets,
    pause,
    assertions,
    settings,
    ...(timeUs === 0n ? {} : { timeUs: timeFromMessage(message.timeUs) }),
  };
}

export function restorePlanToMessage(plan: RestorePlanSummary): RestorePlan {
  return { snapshot: snapshotToMessage(plan.snapshot), nodes: plan.nodes.map(nodePlanToMessage) };
}

export function restorePlanFromMessage(message: RestorePlan__Output): RestorePlanSummary {
  return { snapshot: requiredSnapshot(message.snapshot), nodes: message.nodes.map(nodePlanFromMessage) };
}

function nodePlanToMessage(plan: NodePlanSummary): NodeRestorePlan {
  return {
    ...plan,
    walFromLsn: plan.walFromLsn.toString(),
    walEndLsn: plan.walEndLsn.toString(),
    targetLsn: plan.targetLsn.toString(),
    backupBytes: plan.backupBytes.toString(),
    walBytes: plan.walBytes.toString(),
    inDoubt: plan.inDoubt.map(decisionToMessage),
  };
}

function nodePlanFromMessage(message: NodeRestorePlan__Output): NodePlanSummary {
  return {
    ...message,
    walFromLsn: lsnFromMessage(message.walFromLsn),
    walEndLsn: lsnFromMessage(message.walEndLsn),
    targetLsn: lsnFromMessage(message.targetLsn),
    backupBytes: BigInt(message.backupBytes),
    walBytes: BigInt(message.walBytes),
    inDoubt: message.inDoubt.map(decisionFromMessage),
  };
}

export function restoreEventToMessage(event: RestoreEvent): RestoreEventMessage {
  return event.kind === 'progress'
    ? { progress: progressToMessage(event.progress) }
    : { report: restoreReportToMessage(event.report) };
}

/** Null for an event of a newer version. */
export function restoreEventFromMessage(message: RestoreEvent__Output): RestoreEvent | null {
  if (message.progress) {
    return { kind: 'progress', progress: progressFromMessage(message.progress) };
  }
  return message.report ? { kind: 'report', report: restoreReportFromMessage(message.report) } : null;
}

function restoreReportToMessage(report: RestoreReport): RestoreReportMessage {
  return {
    restoreId: report.restoreId,
    snapshot: snapshotToMessage(report.snapshot),
    nodes: report.nodes.map((node) => ({ ...node })),
    durationMs: Math.round(report.durationMs).toString(),
    paused: report.paused,
  };
}

function restoreReportFromMessage(message: RestoreReport__Output): RestoreReport {
  return {
    restoreId: message.restoreId,
    snapshot: requiredSnapshot(message.snapshot),
    nodes: message.nodes,
    durationMs: Number(message.durationMs),
    paused: message.paused,
  };
}

function requiredSnapshot(message: Snapshot__Output | null) {
  if (message === null) {
    throw new TidemarkError('TM-RPC-003', 'the answer names no snapshot', {
      hint: 'Check that both processes run the same version of Tidemark.',
    });
  }
  return snapshotFromMessage(message);
}
