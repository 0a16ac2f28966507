import {
  CLUSTER_STATES,
  NODE_STATES,
  SYNCHRONOUS_STATES,
  type ClusterStatus,
  type LeaderView,
  type NodeStatus,
} from '../admin/status.ts';
import { BROKEN_BRANCH_STATES, BROKEN_KINDS } from '../repository/snapshot-manifest.ts';
import { lsnFromMessage, oneOf, snapshotFromMessage, snapshotToMessage } from './admin-codec.ts';
import type { Leader, Leader__Output } from './generated/tidemark/v1/Leader.ts';
import type { NodeStatus as NodeStatusMessage, NodeStatus__Output } from './generated/tidemark/v1/NodeStatus.ts';
import type { Status, Status__Output } from './generated/tidemark/v1/Status.ts';

export function leaderToMessage(leader: LeaderView | null): Leader {
  return leader === null ? {} : { ...leader, term: leader.term.toString() };
}

/** Null if there is none. */
export function leaderFromMessage(message: Leader__Output | null): LeaderView | null {
  return message === null || message.coordinatorId === '' ? null : { ...message, term: BigInt(message.term) };
}

export function statusToMessage(status: ClusterStatus): Status {
  return {
    cluster: status.cluster,
    state: status.state,
    problems: [...status.problems],
    leader: leaderToMessage(status.leader),
    coordinators: status.coordinators.map((coordinator) => ({ ...coordinator })),
    nodes: status.nodes.map(nodeToMessage),
    lastSnapshot: status.lastSnapshot === null ? null : snapshotToMessage(status.lastSnapshot),
    copiesRequired: status.copiesRequired,
    recoverableFromUs: (status.recoverable?.fromUs ?? 0n).toString(),
    recoverableToUs: (status.recoverable?.toUs ?? 0n).toString(),
    coordination: status.coordination,
    coordinationReachable: status.coordinationReachable,
    brokenTransactions: status.transactions.broken.map((broken) => ({
      ...broken,
      foundAtUs: broken.foundAtUs.toString(),
      branches: [...broken.branches],
    })),
    longPrepared: status.transactions.longPrepared.map((branch) => ({
      ...branch,
      preparedAtUs: branch.preparedAtUs.toString(),
    })),
  };
}

export function statusFromMessage(message: Status__Output): ClusterStatus {
  const [fromUs, toUs] = [BigInt(message.recoverableFromUs), BigInt(message.recoverableToUs)];
  return {
    cluster: message.cluster,
    state: oneOf('state', message.state, CLUSTER_STATES),
    problems: message.problems,
    leader: leaderFromMessage(message.leader),
    coordinators: message.coordinators,
    nodes: message.nodes.map(nodeFromMessage),
    lastSnapshot: message.lastSnapshot === null ? null : snapshotFromMessage(message.lastSnapshot),
    copiesRequired: message.copiesRequired,
    recoverable: fromUs === 0n ? null : { fromUs, toUs },
    coordination: oneOf('coordination', message.coordination, ['etcd', 'embedded']),
    coordinationReachable: message.coordinationReachable,
    transactions: {
      broken: message.brokenTransactions.map(({ kind, gid, reason, foundAtUs, branches }) => ({
        kind: oneOf('kind of broken transaction', kind, BROKEN_KINDS),
        gid,
        reason,
        foundAtUs: BigInt(foundAtUs),
        branches: branches.map(({ node, xid, state }) => ({
          node,
          xid,
          state: oneOf('state of a branch', state, BROKEN_BRANCH_STATES),
        })),
      })),
      longPrepared: message.longPrepared.map(({ node, gid, xid, preparedAtUs }) => ({
        node,
        gid,
        xid,
        preparedAtUs: BigInt(preparedAtUs),
      })),
    },
  };
}

function nodeToMessage(node: NodeStatus): NodeStatusMessage {
  return {
    ...node,
    flushLsn: node.flushLsn.toString(),
    acknowledgedLsn: node.acknowledgedLsn.toString(),
    lagBytes: node.lagBytes.toString(),
    lagMs: Math.round(node.lagMs).toString(),
    copies: node.copies.map((copy) => ({
      ...copy,
      durableLsn: copy.durableLsn.toString(),
      lagBytes: copy.lagBytes.toString(),
    })),
  };
}

function nodeFromMessage(message: NodeStatus__Output): NodeStatus {
  return {
    ...message,
    state: oneOf('node state', message.state, NODE_STATES),
    synchronous: oneOf('synchronous state', message.synchronous || 'off', SYNCHRONOUS_STATES),
    flushLsn: lsnFromMessage(message.flushLsn),
    acknowledgedLsn: lsnFromMessage(message.acknowledgedLsn),
    lagBytes: BigInt(message.lagBytes),
    lagMs: Number(message.lagMs),
    copies: message.copies.map((copy) => ({
      ...copy,
      durableLsn: lsnFromMessage(copy.durableLsn),
      lagBytes: BigInt(copy.lagBytes),
    })),
  };
}
