import type { BackupSummary } from '../../shared/admin/backup.ts';
import type { SnapshotSummary } from '../../shared/admin/snapshot.ts';
import type {
  ClusterState,
  ClusterStatus,
  CoordinatorStatus,
  CopyStatus,
  LeaderView,
  NodeState,
  NodeStatus,
  TransactionProblems,
} from '../../shared/admin/status.ts';
import { formatLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import { isConfirmed, type SynchronousMode } from '../../shared/postgres/synchronous-mode.ts';

/** One node as the parts of the leader see it. */
export interface NodeFacts {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly instance: string;
  readonly agentAddress: string;
  readonly state: NodeState;
  readonly problem: string;
  readonly flushLsn: Lsn;
  readonly acknowledgedLsn: Lsn;
  readonly lagMs: number;
  readonly copies: readonly { readonly dataCenter: string; readonly durableLsn: Lsn; readonly connected: boolean }[];
  /** As the primary's agent said last. */
  readonly synchronousMode: SynchronousMode;
}

/** WAL of a node that PostgreSQL had no more, and that no copy has brought back. */
export interface LostRange extends LsnRange {
  readonly timeline: number;
}

/** One coordinator as it says itself. */
export interface CoordinatorFacts extends Omit<CoordinatorStatus, 'leader'> {
  /** Why its repository cannot be written, and what to do, in words. */
  readonly storageProblems: readonly string[];
}

export interface StatusFacts {
  readonly cluster: string;
  readonly coordination: 'etcd' | 'embedded';
  readonly coordinationReachable: boolean;
  readonly leader: LeaderView | null;
  /** Whether the one who answers leads: only then the nodes are known. */
  readonly leading: boolean;
  readonly coordinators: readonly CoordinatorFacts[];
  readonly nodes: readonly NodeFacts[];
  /** Agents that call and are not taken. */
  readonly refused: readonly { readonly node: string; readonly instance: string; readonly reason: string }[];
  readonly copiesRequired: number;
  readonly backups: readonly BackupSummary[];
  /** The newest ones, newest first. */
  readonly snapshots: readonly SnapshotSummary[];
  /** Of the first snapshot that can be restored; null if there is none. */
  readonly recoverableFromUs: bigint | null;
  /** The last moment that can be told from the WAL; null if that is not known. */
  readonly toldUntilUs: bigint | null;
  /** By node. */
  readonly lostWal: ReadonlyMap<string, readonly LostRange[]>;
  /** When the last complete snapshot was last seen to be the state: nothing has been written since it. Null if that is not known. */
  readonly snapshotCurrentAtMs: number | null;
  readonly transactions: TransactionProblems;
  readonly nowUs: bigint;
  /** The last complete snapshot is a problem when it is older. */
  readonly snapshotAgeMaxMs: number;
}

/** The cluster's status of what is known of its parts, and in words what is not as it should be. */
export function assembleStatus(facts: StatusFacts): ClusterStatus {
  const nodes = facts.nodes.map((node) => nodeStatus(node, facts.backups));
  const complete = facts.snapshots.find((snapshot) => snapshot.complete) ?? null;
  const { state, problems } = judge(facts, nodes, complete);
  return {
    cluster: facts.cluster,
    state,
    problems,
    leader: facts.leader,
    coordinators: facts.coordinators.map((coordinator) => ({
      ...coordinator,
      leader: coordinator.coordinatorId === facts.leader?.coordinatorId,
    })),
    nodes,
    lastSnapshot: complete,
    copiesRequired: facts.copiesRequired,
    recoverable: recoverableWindow(facts),
    coordination: facts.coordination,
    coordinationReachable: facts.coordinationReachable,
    transactions: facts.transactions,
  };
}

/**
 * From the first snapshot that can be restored to the last, and as far behind that one as the WAL tells, if nothing is missing there: WAL that
 * is lost ends it until a base backup was taken behind.
 */
export function recoverableWindow(
  facts: Pick<StatusFacts, 'snapshots' | 'recoverableFromUs' | 'toldUntilUs' | 'lostWal' | 'backups'>,
): ClusterStatus['recoverable'] {
  const newest = facts.snapshots.find(isRestorable);
  if (newest === undefined || facts.recoverableFromUs === null) return null;
  const isLast = facts.snapshots.find((snapshot) => snapshot.complete) === newest;
  const isWhole = newest.cut.every(({ node, systemIdentifier }) =>
    (facts.lostWal.get(node) ?? []).every((range) => isBackedUpBehind(range, facts.backups, node, systemIdentifier)),
  );
  const told = isLast && isWhole ? (facts.toldUntilUs ?? 0n) : 0n;
  return { fromUs: facts.recoverableFromUs, toUs: told > newest.timeUs ? told : newest.timeUs };
}

function isBackedUpBehind(
  { endLsn }: LostRange,
  backups: readonly BackupSummary[],
  node: string,
  systemIdentifier: string,
): boolean {
  return backups.some(
    (backup) => backup.node === node && backup.systemIdentifier === systemIdentifier && backup.startLsn >= endLsn,
  );
}

/** Whether the whole cluster can be restored to it. */
export function isRestorable(snapshot: SnapshotSummary): boolean {
  return snapshot.complete && snapshot.restorable;
}

function nodeStatus({ synchronousMode, ...node }: NodeFacts, backups: readonly BackupSummary[]): NodeStatus {
  const own = backups.filter(
    (backup) => backup.node === node.node && backup.systemIdentifier === node.systemIdentifier,
  );
  const last = own.reduce<BackupSummary | null>(
    (newest, backup) => (newest === null || backup.finishedAtUs > newest.finishedAtUs ? backup : newest),
    null,
  );
  return {
    ...node,
    lagBytes: behind(node.flushLsn, node.acknowledgedLsn),
    copies: copiesByDataCenter(node),
    lastBackupId: last?.id ?? '',
    synchronous: !synchronousMode.configured ? 'off' : isConfirmed(synchronousMode) ? 'confirmed' : 'unconfirmed',
    synchronousProblem: synchronousMode.configured ? synchronousMode.problem : '',
  };
}

/** A data centre is as far as its best coordinator. */
function copiesByDataCenter({ copies, flushLsn }: Pick<NodeFacts, 'copies' | 'flushLsn'>): CopyStatus[] {
  const best = new Map<string, CopyStatus>();
  for (const { dataCenter, durableLsn, connected } of copies) {
    const known = best.get(dataCenter);
    const durable = known === undefined || durableLsn > known.durableLsn ? durableLsn : known.durableLsn;
    best.set(dataCenter, {
      dataCenter,
      durableLsn: durable,
      lagBytes: behind(flushLsn, durable),
      connected: connected || known?.connected === true,
    });
  }
  return [...best.values()].sort((a, b) => (a.dataCenter < b.dataCenter ? -1 : 1));
}

function behind(flushLsn: Lsn, position: Lsn): bigint {
  return position === NO_LSN || flushLsn <= position ? 0n : flushLsn - position;
}

function judge(
  facts: StatusFacts,
  nodes: readonly NodeStatus[],
  complete: SnapshotSummary | null,
): { state: ClusterState; problems: string[] } {
  const down: string[] = [];
  const degraded: string[] = [];
  if (facts.leader === null) {
    down.push('there is no leader: nothing is being backed up');
  } else if (!facts.leading) {
    degraded.push(`the leader, ${facts.leader.coordinatorId}, does not answer: this is what another coordinator knows`);
  }
  if (!facts.coordinationReachable) {
    degraded.push(`${facts.coordination} does not answer: no snapshot can be taken, and no other leader elected`);
  }
  if (facts.leading) {
    judgeCopies(facts, down, degraded);
    judgeNodes(nodes, down, degraded);
    judgeLostWal(facts, nodes, degraded);
    for (const { reason } of facts.refused) {
      degraded.push(`an agent is refused: ${reason}`);
    }
    if (nodes.length > 0) {
      judgeSnapshot(facts, complete, degraded);
    }
    judgeTransactions(facts.transactions, degraded);
  }
  return {
    state: down.length > 0 ? 'down' : degraded.length > 0 ? 'degraded' : 'ok',
    problems: [...down, ...degraded],
  };
}

function judgeCopies(facts: StatusFacts, down: string[], degraded: string[]): void {
  const reachable = new Set(facts.coordinators.filter((one) => one.reachable).map((one) => one.dataCenter));
  if (reachable.size < facts.copiesRequired) {
    down.push(
      `${reachable.size} of ${facts.copiesRequired} required data centres can be reached: nothing is acknowledged`,
    );
  }
  for (const { coordinatorId, dataCenter } of facts.coordinators.filter((one) => !one.reachable)) {
    degraded.push(`coordinator ${coordinatorId} in ${dataCenter} cannot be reached`);
  }
  for (const { coordinatorId, dataCenter, storageProblems } of facts.coordinators) {
    for (const problem of storageProblems) {
      degraded.push(`coordinator ${coordinatorId} in ${dataCenter} cannot write its repository: ${problem}`);
    }
  }
}

function judgeNodes(nodes: readonly NodeStatus[], down: string[], degraded: string[]): void {
  if (nodes.length === 0) {
    degraded.push('no node has registered: see whether the agents run');
    return;
  }
  if (nodes.every((node) => node.state !== 'streaming')) {
    down.push('no node is streaming');
  }
  for (const { node, state, problem, copies, lastBackupId, synchronousProblem } of nodes) {
    if (state !== 'streaming') {
      degraded.push(`node ${node} is ${state}${problem === '' ? '' : `: ${problem}`}`);
    } else if (problem !== '') {
      degraded.push(`node ${node}: ${problem}`);
    }
    if (synchronousProblem !== '') {
      degraded.push(`node ${node}: a commit may return before it is durable: ${synchronousProblem}`);
    }
    for (const { dataCenter } of copies.filter((copy) => !copy.connected)) {
      degraded.push(`node ${node}: the copy in ${dataCenter} is not being written`);
    }
    if (lastBackupId === '') {
      degraded.push(`node ${node} has no base backup: it cannot be restored (tidemark backup create)`);
    }
  }
}

/** Told until a base backup was taken behind it: from then on everything that comes can be restored again. */
function judgeLostWal({ lostWal, backups }: StatusFacts, nodes: readonly NodeStatus[], degraded: string[]): void {
  for (const { node, systemIdentifier } of nodes) {
    for (const lost of lostWal.get(node) ?? []) {
      if (isBackedUpBehind(lost, backups, node, systemIdentifier)) continue;
      const { timeline, startLsn, endLsn } = lost;
      const range = `from ${formatLsn(startLsn)} to ${formatLsn(endLsn)} (timeline ${timeline})`;
      degraded.push(
        `node ${node} has lost WAL ${range}: nothing after it can be restored until a new base backup is taken (tidemark backup create --node ${node})`,
      );
    }
  }
}

function judgeSnapshot(facts: StatusFacts, complete: SnapshotSummary | null, degraded: string[]): void {
  if (complete === null) {
    degraded.push('there is no complete snapshot');
    return;
  }
  const takenMs = Number(complete.timeUs / 1000n);
  const ageMs = Number(facts.nowUs / 1000n) - Math.max(takenMs, facts.snapshotCurrentAtMs ?? 0);
  if (ageMs > facts.snapshotAgeMaxMs) {
    degraded.push(`the last complete snapshot, ${complete.id}, is ${Math.round(ageMs / 1000)} s old`);
  }
}

function judgeTransactions({ broken, longPrepared }: TransactionProblems, degraded: string[]): void {
  if (broken.length > 0) {
    degraded.push(`${count(broken.length, 'distributed transaction')} of the last day can never be whole: see below`);
  }
  const nodes = [...new Set(longPrepared.map(({ node }) => node))].sort();
  if (nodes.length > 0) {
    degraded.push(
      `${count(longPrepared.length, 'transaction')} prepared for long on ${nodes.join(', ')}: locks and old rows are kept`,
    );
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
