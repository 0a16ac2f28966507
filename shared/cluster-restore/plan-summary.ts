import type { RestorePlanSummary, RestoreTargetSpec } from '../admin/restore.ts';
import { summarizeSnapshot } from '../admin/snapshot.ts';
import type { RestorePlan } from '../restore-plan/restore-plan.ts';

/** A plan as people see it. @param targets may be missing: then it says only what is read */
export function summarizePlan(
  plan: RestorePlan,
  targets: readonly RestoreTargetSpec[],
  dataCenters: readonly string[],
): RestorePlanSummary {
  const snapshot = summarizeSnapshot(plan.snapshot, { dataCenters, restorable: true });
  return {
    snapshot,
    nodes: plan.nodes.map((node) => {
      const target = targets.find((known) => known.node === node.node);
      return {
        node: node.node,
        backupId: node.backup.id,
        walFromLsn: node.walFromLsn,
        walEndLsn: node.walEndLsn,
        targetLsn: node.targetLsn,
        timeline: node.timeline,
        backupBytes: BigInt(node.backup.bytes),
        walBytes: BigInt(node.walBytes),
        agentAddress: target?.agentAddress ?? '',
        directory: target?.directory ?? '',
        inDoubt: snapshot.inDoubt.filter((branch) => branch.node === node.node),
      };
    }),
  };
}
