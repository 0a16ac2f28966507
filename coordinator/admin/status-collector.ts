import type { SnapshotSummary } from '../../shared/admin/snapshot.ts';
import { NO_TRANSACTION_PROBLEMS, type ClusterStatus, type TransactionProblems } from '../../shared/admin/status.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import { maxLsn, NO_LSN } from '../../shared/postgres/lsn.ts';
import { ASYNCHRONOUS } from '../../shared/postgres/synchronous-mode.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { ClockWatch } from '../clocks/clock-watch.ts';
import type { Coordination, CoordinatorInfo, Leadership } from '../coordination/coordination.ts';
import type { AcknowledgementTracker } from '../copies/acknowledgement-tracker.ts';
import { LagMeter } from '../ingest/lag-meter.ts';
import type { NodeIngestStatus } from '../ingest/node-ingest.ts';
import type { MemberInstance, Membership } from '../membership/membership.ts';
import type { BackupBackend, SnapshotBackend, StatusBackend } from './admin-backends.ts';
import {
  assembleStatus,
  isRestorable,
  recoverableWindow,
  type CoordinatorFacts,
  type LostRange,
  type NodeFacts,
  type StatusFacts,
} from './assemble-status.ts';

/** So many of the newest snapshots are looked at for each status; the oldest one is looked for now and then. */
const SNAPSHOTS_MAX = 100;
const OLDEST_VALID_MS = 60_000;
const OBSERVE_INTERVAL_MS = 1_000;
/** So often the snapshots are looked at for the metrics. */
const WINDOW_INTERVAL_MS = 10_000;
/** A peer that does not answer within this is shown as not reachable. */
const PEER_DEADLINE_MS = 1_500;

type IngestNode = Pick<
  NodeIngestStatus,
  'node' | 'systemIdentifier' | 'timeline' | 'state' | 'problem' | 'serverWalEndLsn' | 'lagMs'
>;

export interface StatusSources {
  readonly cluster: string;
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly repositoryId: string;
  readonly coordination: Pick<Coordination, 'kind' | 'leader' | 'coordinators' | 'reachable'>;
  readonly leadership: () => Leadership | null;
  readonly membership: Pick<Membership, 'nodes' | 'missing' | 'refused' | 'primary'>;
  readonly tracker: Pick<AcknowledgementTracker, 'acknowledged' | 'copies' | 'copiesRequired'>;
  /** `WalIngest`: the nodes that are pulled in this leadership. */
  readonly ingest: { status(): readonly IngestNode[] };
  /** `Peers`: connections to other coordinators. */
  readonly peers: { channel(address: string): Channel };
  readonly backups: Pick<BackupBackend, 'list'>;
  readonly snapshots: Pick<SnapshotBackend, 'list' | 'get'>;
  /** `ClockWatch`: the last moment that can be told of all these nodes. */
  readonly toldUntilUs: ClockWatch['toldUntilUs'];
  /** Wall clock: when the last complete snapshot was last seen to be the state; null if that is not known. */
  readonly snapshotCurrentAtMs: () => number | null;
  /** WAL of a node that is declared to be missing and was not got since. */
  readonly lostWal: (node: string, systemIdentifier: string) => Promise<readonly LostRange[]>;
  /** Why the own repository cannot be written, and what to do, in words. */
  readonly storageProblems: () => readonly string[];
  /** Known to the leader only. */
  readonly transactions: () => TransactionProblems;
  readonly clock: Clock;
  readonly snapshotAgeMaxMs: number;
}

type WindowFacts = Pick<StatusFacts, 'backups' | 'snapshots' | 'recoverableFromUs'>;

/** Gathers the status from the parts of this coordinator; and the metrics that say the same. */
export class StatusCollector implements StatusBackend, Service {
  readonly name = 'status';
  readonly #sources: StatusSources;
  readonly #meters = new Map<string, { readonly timeline: number; readonly meter: LagMeter }>();

  #lost: ReadonlyMap<string, readonly LostRange[]> = new Map();
  #oldest: { readonly atMs: number; readonly timeUs: bigint | null } | null = null;
  /** What the recoverable window follows from, but for the last moment that can be told. */
  #window: WindowFacts | null = null;

  constructor(sources: StatusSources) {
    this.#sources = sources;
  }

  async status(): Promise<ClusterStatus> {
    const { cluster, clock, coordination, snapshotAgeMaxMs, tracker } = this.#sources;
    const [backups, snapshots, coordinators, lostWal] = await Promise.all([
      this.#sources.backups.list(),
      this.#snapshots(),
      this.#coordinators(),
      this.#lostWal(),
    ]);
    const leadership = this.#sources.leadership();
    return assembleStatus({
      cluster,
      coordination: coordination.kind,
      coordinationReachable: coordination.reachable(),
      leader: coordination.leader(),
      leading: leadership !== null,
      coordinators,
      nodes: this.#nodes(),
      refused: leadership === null ? [] : this.#sources.membership.refused(),
      copiesRequired: tracker.copiesRequired,
      backups,
      snapshots,
      recoverableFromUs: await this.#recoverableFromUs(snapshots),
      toldUntilUs: this.#toldUntilUs(),
      lostWal,
      snapshotCurrentAtMs: this.#sources.snapshotCurrentAtMs(),
      transactions: leadership === null ? NO_TRANSACTION_PROBLEMS : this.#sources.transactions(),
      nowUs: BigInt(Math.round(clock.nowMs())) * 1000n,
      snapshotAgeMaxMs,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    let windowDueMs = -Infinity;
    while (!signal.aborted) {
      this.#observe();
      const nowMs = this.#sources.clock.monotonicMs();
      if (nowMs >= windowDueMs) {
        this.#window = await this.#readWindow().catch(() => this.#window);
        windowDueMs = nowMs + WINDOW_INTERVAL_MS;
      }
      // What cannot be read is told by verification; here the last that was known stays.
      this.#lost = await this.#lostWal().catch(() => this.#lost);
      await this.#sources.clock.sleep(OBSERVE_INTERVAL_MS, signal).catch(() => {});
    }
  }

  /** The newest ones; where none of them is complete, the last complete one behind them. */
  async #snapshots(): Promise<readonly SnapshotSummary[]> {
    const newest = await this.#sources.snapshots.list(SNAPSHOTS_MAX);
    if (newest.length < SNAPSHOTS_MAX || newest.some(({ complete }) => complete)) return newest;
    try {
      return [...newest, await this.#sources.snapshots.get('latest')];
    } catch (error) {
      if (error instanceof TidemarkError && error.code === 'TM-SNAP-001') return newest;
      throw error;
    }
  }

  async #readWindow(): Promise<WindowFacts> {
    const [backups, snapshots] = await Promise.all([this.#sources.backups.list(), this.#snapshots()]);
    return { backups, snapshots, recoverableFromUs: await this.#recoverableFromUs(snapshots) };
  }

  /** Null while this coordinator does not lead. */
  #toldUntilUs(): bigint | null {
    const { coordination, membership, toldUntilUs } = this.#sources;
    if (membership.missing().length > 0) return null;
    const nodes = this.#nodes().map((stream) => ({ stream, acknowledgedLsn: stream.acknowledgedLsn }));
    return toldUntilUs(nodes, coordination.reachable());
  }

  async #lostWal(): Promise<ReadonlyMap<string, readonly LostRange[]>> {
    const { membership, lostWal } = this.#sources;
    const nodes = membership.nodes().map(async ({ node, systemIdentifier }) => {
      const lost = systemIdentifier === '' ? [] : await lostWal(node, systemIdentifier);
      return [node, lost] as const;
    });
    return new Map(await Promise.all(nodes));
  }

  /** Takes note of where PostgreSQL stands: by that the copies' lags in time are known. */
  #observe(): void {
    const nowMs = this.#sources.clock.monotonicMs();
    for (const { node, timeline, flushLsn } of this.#nodes()) {
      this.#meter(node, timeline).seen(flushLsn, nowMs);
    }
  }

  /** Keeps the metrics of leadership, nodes and copies true at every reading. */
  provideMetrics(metrics: Metrics): void {
    metrics.beforeReading(() => {
      this.#observe();
      const { clock, coordination } = this.#sources;
      const leadership = this.#sources.leadership();
      metrics.set('tidemark_leader', {}, leadership === null ? 0 : 1);
      metrics.set('tidemark_term', {}, Number(leadership?.term ?? coordination.leader()?.term ?? 0n));
      const window =
        leadership === null || this.#window === null
          ? null
          : recoverableWindow({ ...this.#window, toldUntilUs: this.#toldUntilUs(), lostWal: this.#lost });
      metrics.set('tidemark_recoverable_from_timestamp_seconds', {}, Number(window?.fromUs ?? 0n) / 1e6);
      metrics.set('tidemark_recoverable_until_timestamp_seconds', {}, Number(window?.toUs ?? 0n) / 1e6);
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
        refused: [],
        copiesRequired: 1,
        backups: [],
        snapshots: [],
        recoverableFromUs: null,
        toldUntilUs: null,
        lostWal: this.#lost,
        snapshotCurrentAtMs: null,
        transactions: NO_TRANSACTION_PROBLEMS,
        nowUs: 0n,
        snapshotAgeMaxMs: 0,
      });
      for (const { node, timeline, state, flushLsn, acknowledgedLsn, lagBytes, lagMs, copies, synchronous } of nodes) {
        if (synchronous !== 'off') {
          metrics.set('tidemark_node_synchronous', { node }, synchronous === 'confirmed' ? 1 : 0);
        }
        metrics.set('tidemark_node_streaming', { node }, state === 'streaming' ? 1 : 0);
        const lost = (this.#lost.get(node) ?? []).reduce((sum, range) => sum + (range.endLsn - range.startLsn), 0n);
        metrics.set('tidemark_node_wal_lost_bytes', { node }, Number(lost));
        metrics.set('tidemark_node_flush_lsn_bytes', { node }, Number(flushLsn));
        metrics.set('tidemark_node_acknowledged_lsn_bytes', { node }, Number(acknowledgedLsn));
        metrics.set('tidemark_node_lag_bytes', { node }, Number(lagBytes));
        metrics.set('tidemark_node_lag_seconds', { node }, lagMs / 1000);
        for (const copy of copies) {
          const labels = { node, data_center: copy.dataCenter };
          const copyLagMs = this.#meter(node, timeline).ms(copy.durableLsn, nowMs);
          metrics.set('tidemark_copy_lag_bytes', labels, Number(copy.lagBytes));
          metrics.set('tidemark_copy_lag_seconds', labels, copyLagMs / 1000);
        }
      }
    });
  }

  /** All snapshots are read for this, so the answer is kept for a while. */
  async #recoverableFromUs(newest: readonly SnapshotSummary[]): Promise<bigint | null> {
    if (newest.length < SNAPSHOTS_MAX) {
      return newest.findLast(isRestorable)?.timeUs ?? null;
    }
    const nowMs = this.#sources.clock.monotonicMs();
    if (this.#oldest === null || nowMs - this.#oldest.atMs > OLDEST_VALID_MS) {
      const all = await this.#sources.snapshots.list(0);
      this.#oldest = { atMs: nowMs, timeUs: all.findLast(isRestorable)?.timeUs ?? null };
    }
    return this.#oldest.timeUs;
  }

  async #coordinators(): Promise<CoordinatorFacts[]> {
    const { coordination, coordinatorId, dataCenter, repositoryId } = this.#sources;
    const storageProblems = this.#sources.storageProblems();
    const self = { coordinatorId, dataCenter, address: '', reachable: true, repositoryId, storageProblems };
    const known = coordination.coordinators();
    const others = known.filter((info) => info.coordinatorId !== coordinatorId);
    const asked = await Promise.all(others.map((info) => this.#ask(info)));
    const own = known.find((info) => info.coordinatorId === coordinatorId);
    return [{ ...self, address: own?.address ?? '' }, ...asked].sort((a, b) =>
      a.coordinatorId < b.coordinatorId ? -1 : 1,
    );
  }

  async #ask({ coordinatorId, dataCenter, address }: CoordinatorInfo): Promise<CoordinatorFacts> {
    const known = { coordinatorId, dataCenter, address };
    try {
      const { peer } = this.#sources.peers.channel(address);
      // Term 0: a look only.
      const state = await callUnary(peer, 'GetPeerState', {}, { deadlineMs: PEER_DEADLINE_MS });
      const { repositoryId, storageProblems } = state;
      return { ...known, reachable: true, repositoryId, storageProblems };
    } catch {
      // That it does not answer is what the status says.
      return { ...known, reachable: false, repositoryId: '', storageProblems: [] };
    }
  }

  #nodes(): NodeFacts[] {
    const { ingest, membership, tracker } = this.#sources;
    if (this.#sources.leadership() === null) {
      return [];
    }
    const pulled = new Map(ingest.status().map((node) => [node.node, node]));
    const registered = membership.nodes().map(({ node, systemIdentifier, instances }): NodeFacts => {
      const primary = membership.primary(node);
      const alive = instances.some((member) => member.alive);
      const own = pulled.get(node);
      const timeline = own === undefined || own.timeline === 0 ? (primary?.timeline ?? 1) : own.timeline;
      const stream = { node, systemIdentifier, timeline };
      const acknowledgedLsn = tracker.acknowledged(stream);
      const flushLsn = maxLsn(own?.serverWalEndLsn ?? NO_LSN, primary?.flushLsn ?? NO_LSN);
      return {
        node,
        systemIdentifier,
        timeline: stream.timeline,
        instance: primary?.instance ?? '',
        agentAddress: primary?.advertisedAddress ?? '',
        state: own?.state ?? (alive ? 'waiting' : 'unreachable'),
        problem: [own?.problem, primary?.problem, twoWriters(instances)].find((text) => text) ?? '',
        flushLsn,
        acknowledgedLsn,
        lagMs: own?.lagMs ?? 0,
        copies: tracker.copies(stream),
        synchronousMode: primary?.synchronous ?? ASYNCHRONOUS,
      };
    });
    return [...registered, ...membership.missing().map((node) => missingNode(node))].sort((a, b) =>
      a.node < b.node ? -1 : 1,
    );
  }

  /** A timeline has a meter of its own: a new one may begin below where the old one stood. */
  #meter(node: string, timeline: number): LagMeter {
    const known = this.#meters.get(node);
    if (known?.timeline === timeline) {
      return known.meter;
    }
    const meter = new LagMeter();
    this.#meters.set(node, { timeline, meter });
    return meter;
  }
}

/** A node of which no agent was ever heard. */
function missingNode(node: string): NodeFacts {
  return {
    node,
    systemIdentifier: '',
    timeline: 0,
    instance: '',
    agentAddress: '',
    state: 'unreachable',
    problem: 'its agent has never registered',
    flushLsn: NO_LSN,
    acknowledgedLsn: NO_LSN,
    lagMs: 0,
    copies: [],
    synchronousMode: ASYNCHRONOUS,
  };
}

/** Two servers of one system that both write are two histories, or one server with two agents. Empty if there is one at most. */
function twoWriters(instances: readonly MemberInstance[]): string {
  const writers = instances
    .filter(
      ({ alive, instance }) =>
        alive && instance.postgresReachable && !instance.inRecovery && instance.systemIdentifier !== '',
    )
    .map(({ instance }) => `${instance.instance} (${instance.advertisedAddress})`);
  return writers.length > 1 ? `more than one instance says that it is the primary: ${writers.join(', ')}` : '';
}
