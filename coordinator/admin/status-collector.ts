import type { BackupSummary } from '../../shared/admin/backup.ts';
import type { SnapshotSummary } from '../../shared/admin/snapshot.ts';
import type { ClusterStatus, CoordinatorStatus, NodeState } from '../../shared/admin/status.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import { maxLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';
import type { AcknowledgementTracker } from '../copies/acknowledgement-tracker.ts';
import type { Membership } from '../membership/membership.ts';
import type { BackupBackend, SnapshotBackend, StatusBackend } from './admin-backends.ts';
import { assembleStatus, type NodeFacts } from './assemble-status.ts';
import { LagMeter } from './lag-meter.ts';

/** What ingest knows of a node whose WAL it pulls. */
export interface IngestNode {
  readonly node: string;
  readonly stream: WalStreamKey;
  readonly state: NodeState;
  /** In words; empty if there is none. */
  readonly problem: string;
  /** PostgreSQL's flush position as last heard; NO_LSN before. */
  readonly flushLsn: Lsn;
}

export interface StatusSources {
  readonly cluster: string;
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly repositoryId: string;
  readonly coordination: Pick<Coordination, 'kind' | 'leader' | 'coordinators' | 'reachable'>;
  readonly leadership: () => Leadership | null;
  readonly membership: Pick<Membership, 'nodes' | 'primary'>;
  readonly tracker: Pick<AcknowledgementTracker, 'acknowledged' | 'copies' | 'copiesRequired'>;
  readonly ingest: { nodes(): readonly IngestNode[] };
  /** Other coordinators: whether they answered lately, and their repository. */
  readonly peers: {
    state(coordinatorId: string): { readonly reachable: boolean; readonly repositoryId: string } | null;
  };
  readonly backups: Pick<BackupBackend, 'list'>;
  readonly snapshots: Pick<SnapshotBackend, 'list'>;
  readonly clock: Clock;
  readonly snapshotAgeMaxMs: number;
}

/** Gathers the status from the parts of this coordinator; and the metrics that say the same. */
export class StatusCollector implements StatusBackend {
  readonly #sources: StatusSources;
  readonly #meters = new Map<string, LagMeter>();

  constructor(sources: StatusSources) {
    this.#sources = sources;
  }

  async status(): Promise<ClusterStatus> {
    const { cluster, clock, coordination, snapshotAgeMaxMs, tracker } = this.#sources;
    const [backups, snapshots] = await Promise.all([this.#backups(), this.#snapshots()]);
    const leadership = this.#sources.leadership();
    return assembleStatus({
      cluster,
      coordination: coordination.kind,
      coordinationReachable: coordination.reachable(),
      leader: coordination.leader(),
      leading: leadership !== null,
      coordinators: this.#coordinators(),
      nodes: this.#nodes(),
      copiesRequired: tracker.copiesRequired,
      backups,
      snapshots,
      nowUs: BigInt(Math.round(clock.nowMs())) * 1000n,
      snapshotAgeMaxMs,
    });
  }

  /** Takes note of where PostgreSQL stands, for the lags in time. To be called every second or so while leading. */
  observe(): void {
    const nowMs = this.#sources.clock.monotonicMs();
    for (const { node, flushLsn } of this.#nodes()) {
      this.#meter(node).observe(flushLsn, nowMs);
    }
  }

  /** Keeps the metrics of leadership, nodes and copies true at every reading. */
  provideMetrics(metrics: Metrics): void {
    metrics.beforeReading(() => {
      this.observe();
      const { clock, coordination } = this.#sources;
      const leadership = this.#sources.leadership();
      metrics.set('tidemark_leader', {}, leadership === null ? 0 : 1);
      metrics.set('tidemark_term', {}, Number(leadership?.term ?? coordination.leader()?.term ?? 0n));
      metrics.set('tidemark_coordination_reachable', {}, coordination.reachable() ? 1 : 0);
      const nowMs = clock.monotonicMs();
      const { nodes } = assembleStatus({
        cluster: '',
        coordination: coordination.kind,
        coordinationReachable: true,
        leader: null,
        leading: leadership !== null,
        coordinators: [],
        nodes: this.#nodes(),
        copiesRequired: 1,
        backups: [],
        snapshots: [],
        nowUs: 0n,
        snapshotAgeMaxMs: 0,
      });
      for (const { node, state, flushLsn, acknowledgedLsn, lagBytes, lagMs, copies } of nodes) {
        metrics.set('tidemark_node_streaming', { node }, state === 'streaming' ? 1 : 0);
        metrics.set('tidemark_node_flush_lsn_bytes', { node }, Number(flushLsn));
        metrics.set('tidemark_node_acknowledged_lsn_bytes', { node }, Number(acknowledgedLsn));
        metrics.set('tidemark_node_lag_bytes', { node }, Number(lagBytes));
        metrics.set('tidemark_node_lag_seconds', { node }, lagMs / 1000);
        for (const copy of copies) {
          const labels = { node, data_center: copy.dataCenter };
          const copyLagMs = this.#meter(node).lagMs(copy.durableLsn, nowMs);
          metrics.set('tidemark_copy_lag_bytes', labels, Number(copy.lagBytes));
          metrics.set('tidemark_copy_lag_seconds', labels, copyLagMs / 1000);
        }
      }
    });
  }

  #coordinators(): Omit<CoordinatorStatus, 'leader'>[] {
    const { coordination, coordinatorId: self, dataCenter, repositoryId, peers } = this.#sources;
    const known = coordination.coordinators().map((info) => {
      const peer = info.coordinatorId === self ? { reachable: true, repositoryId } : peers.state(info.coordinatorId);
      return { ...info, reachable: peer?.reachable ?? true, repositoryId: peer?.repositoryId ?? '' };
    });
    return known.some((one) => one.coordinatorId === self)
      ? known
      : [{ coordinatorId: self, dataCenter, address: '', reachable: true, repositoryId }, ...known];
  }

  #nodes(): NodeFacts[] {
    const { ingest, membership, tracker, clock } = this.#sources;
    if (this.#sources.leadership() === null) {
      return [];
    }
    const pulled = new Map(ingest.nodes().map((node) => [node.node, node]));
    return membership.nodes().map(({ node, systemIdentifier, instances }): NodeFacts => {
      const primary = membership.primary(node);
      const alive = instances.some((member) => member.alive);
      const own = pulled.get(node);
      const stream = own?.stream ?? { node, systemIdentifier, timeline: primary?.timeline ?? 1 };
      const acknowledgedLsn = tracker.acknowledged(stream);
      const flushLsn = maxLsn(own?.flushLsn ?? NO_LSN, primary?.flushLsn ?? NO_LSN);
      return {
        node,
        systemIdentifier,
        timeline: stream.timeline,
        instance: primary?.instance ?? '',
        agentAddress: primary?.advertisedAddress ?? '',
        state: own?.state ?? (alive ? 'waiting' : 'unreachable'),
        problem: own === undefined || own.problem === '' ? (primary?.problem ?? '') : own.problem,
        flushLsn,
        acknowledgedLsn,
        lagMs: this.#meter(node).lagMs(acknowledgedLsn, clock.monotonicMs()),
        copies: tracker.copies(stream),
      };
    });
  }

  #meter(node: string): LagMeter {
    const meter = this.#meters.get(node) ?? new LagMeter();
    this.#meters.set(node, meter);
    return meter;
  }

  async #backups(): Promise<readonly BackupSummary[]> {
    return this.#sources.backups.list();
  }

  async #snapshots(): Promise<readonly SnapshotSummary[]> {
    return this.#sources.snapshots.list(0);
  }
}
