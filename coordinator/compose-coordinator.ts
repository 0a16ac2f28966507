import path from 'node:path';
import { ZstdPool } from '../shared/compression/zstd-pool.ts';
import { systemClock } from '../shared/lifecycle/clock.ts';
import { packageVersion } from '../shared/lifecycle/process-options.ts';
import type { Service } from '../shared/lifecycle/service.ts';
import { ObservabilityHttp } from '../shared/observability/http.ts';
import type { Logger } from '../shared/observability/logger.ts';
import type { WalStreamKey } from '../shared/wal/change-set.ts';
import { missingFrom, type LsnRange } from '../shared/wal/lsn-range.ts';
import { Metrics } from '../shared/observability/metrics.ts';
import { listWalGaps } from '../shared/repository/wal-gap.ts';
import { SnapshotCatalogue } from '../shared/repository/snapshot-catalogue.ts';
import { openChannel } from '../shared/rpc/channel.ts';
import { protocol } from '../shared/rpc/proto.ts';
import { RpcServer } from '../shared/rpc/server.ts';
import { formatTimestamp } from '../shared/timestamp/hybrid-timestamp.ts';
import { adminHandlers } from './admin/admin-service.ts';
import { AnyTime } from './any-time/any-time.ts';
import { LeaderRoute } from './admin/leader-route.ts';
import { StatusCollector } from './admin/status-collector.ts';
import { AbandonedPacks } from './backups/abandoned-packs.ts';
import { BackupService } from './backups/backup-service.ts';
import { UnfinishedBackups } from './backups/unfinished-backups.ts';
import type { CoordinatorConfig } from './config/coordinator-config.ts';
import { ClockWatch } from './clocks/clock-watch.ts';
import { CoordinationWatch } from './coordination/coordination-watch.ts';
import { openCoordination } from './coordination/open-coordination.ts';
import { AcknowledgementTracker } from './copies/acknowledgement-tracker.ts';
import { livingBackupPeers } from './copies/backup-peers.ts';
import { CopyReader } from './copies/copy-reader.ts';
import { Follower } from './copies/follower.ts';
import { HoleFiller } from './copies/hole-filler.ts';
import { ObjectMesh } from './copies/object-mesh.ts';
import { ObservedRepository } from './copies/observed-repository.ts';
import { peerService } from './copies/peer-service.ts';
import { Peers } from './copies/peers.ts';
import { repositoryService } from './copies/repository-service.ts';
import { Election } from './election/election.ts';
import { WalIngest } from './ingest/wal-ingest.ts';
import { IndexThread } from './journal/index-thread.ts';
import { WalStore } from './journal/wal-store.ts';
import { Membership } from './membership/membership.ts';
import { CoordinatorMetrics } from './metrics/coordinator-metrics.ts';
import { registryService } from './registry-service/registry-service.ts';
import { openOwnRepository } from './own-repository.ts';
import { RestoreService } from './restore/restore-service.ts';
import { RpcService } from './rpc/rpc-service.ts';
import { AgentPositionSampler } from './snapshots/agent-position-sampler.ts';
import { SynchronousRecord } from './snapshots/synchronous-record.ts';
import { openSnapshotService } from './snapshots/open-snapshot-service.ts';
import { AdminSnapshots } from './snapshots/snapshot-backend.ts';
import { TermStore } from '../shared/term/term-store.ts';
import { TimestampOracle } from './timestamps/timestamp-oracle.ts';

/** Hidden, and so no object: the repository's directory is the one thing that a coordinator keeps. */
const TERM_FILE = '.highest-term';
/** How many intervals may pass without a snapshot before the status says so. */
const SNAPSHOT_AGE_INTERVALS = 3;

/**
 * Opens everything that a coordinator is made of, in order of dependency, and listens. What is opened is put into `closers`, to
 * be closed in reverse.
 */
export async function composeCoordinator(
  config: CoordinatorConfig,
  logger: Logger,
  closers: (() => Promise<void> | void)[],
  signal: AbortSignal,
): Promise<Service[]> {
  const clock = systemClock;
  const coordinatorId = config.id;
  const dataCenter = config.data_center;
  const services: Service[] = [];

  const metrics = new Metrics();
  metrics.set('tidemark_build_info', { version: packageVersion(), process: 'coordinator' }, 1);
  const observer = new CoordinatorMetrics(metrics, logger, clock);

  let address = config.advertise ?? config.listen;
  const self = {
    coordinatorId,
    dataCenter,
    get address() {
      return address;
    },
  };
  const coordination = openCoordination({ config, self, clock });
  closers.push(() => coordination.close());

  // The copy.
  const root = path.resolve(config.repository.path);
  const posix = await openOwnRepository({ config, coordination, clock, random: Math.random, logger, signal });
  closers.push(() => posix.close());
  const terms = await TermStore.open(path.join(root, TERM_FILE));
  const zstd = new ZstdPool({ workers: config.compression.workers, level: 3 });
  closers.push(() => zstd.close());
  const indexer = new IndexThread();
  closers.push(() => indexer.close());
  const store = await WalStore.open({
    repository: posix,
    zstd,
    indexer,
    clock,
    onProblem: observer.storageProblem,
    onSynced: observer.journalSynced,
    onNote: (note) => logger.warn(note),
  });
  closers.push(() => store.close());
  const repository = new ObservedRepository(posix);
  const unfinished = new UnfinishedBackups({ repository, logger });
  const copy = new CopyReader({ repository: posix, store });

  // Who else is there.
  const server = new RpcServer({ tls: config.tls, insecure: config.insecure });
  const dial = (to: string) => openChannel(to, { tls: config.tls });
  const peers = new Peers({ coordination, coordinatorId, channel: { tls: config.tls } });
  const agents = new Peers({ coordination, coordinatorId, channel: { tls: config.tls } });
  const route = new LeaderRoute({ coordinatorId, coordination, leadership: () => election.current(), open: dial });
  closers.push(() => {
    peers.close();
    agents.close();
    route.close();
  });
  const agentChannel = (to: string) => agents.channel(to);

  // What the leader does.
  const membership = new Membership({
    coordination,
    clock,
    silenceMaxMs: config.agents.silence,
    expected: config.nodes,
  });
  const timestamps = new TimestampOracle({ coordination, clock });
  const tracker = new AcknowledgementTracker({ coordinatorId, dataCenter, copiesRequired: config.copies.required });
  const synchronousRecord = new SynchronousRecord(clock);
  tracker.onAcknowledged(() => synchronousRecord.acknowledged());
  const clocks = new ClockWatch({
    coordinatorId,
    nodes: () => membership.nodes(),
    sampler: (leadership) =>
      new AgentPositionSampler({
        coordinatorId,
        leadership,
        primary: (node) => membership.primary(node),
        channelTo: agentChannel,
        heard: (node, synchronous) => synchronousRecord.heard(node, synchronous),
      }),
    clock,
  });
  const ingest = new WalIngest({
    coordinatorId,
    dataCenter,
    membership,
    peers,
    store,
    repository,
    tracker,
    agentChannel,
    clock,
    random: Math.random,
    logger,
    clockReadings: (stream, endLsn) => clocks.take(stream, endLsn),
    onReceived: observer.walReceived,
  });
  const snapshots = openSnapshotService({
    cluster: config.cluster,
    coordinatorId,
    intervalMs: config.snapshots.interval,
    match: config.transactions.match,
    preparedWarningMs: config.transactions.prepared_warning,
    membership,
    store,
    tracker,
    timestamps,
    synchronous: synchronousRecord,
    repository,
    copy,
    agentChannel,
    metrics,
    logger,
    clock,
  });
  const election = new Election({
    coordination,
    terms,
    duties: [membership, clocks, ingest, snapshots],
    clock,
    random: Math.random,
    logger,
    onError: observer.error,
  });

  // What every coordinator does.
  const follower = new Follower({ coordinatorId, dataCenter, coordination, peers, store, terms, clock, logger });
  const holeFiller = new HoleFiller({ dataCenter, peers, store, clock, logger });
  const { repositoryId } = posix.manifest;
  const mesh = new ObjectMesh({
    coordinatorId,
    dataCenter,
    repositoryId,
    peers,
    repository,
    unfinished,
    tracker,
    clock,
    logger,
  });
  const abandonedPacks = new AbandonedPacks({
    dataCenter,
    copiesRequired: config.copies.required,
    repository,
    unfinished,
    peers: () => livingBackupPeers(coordination, peers),
    clock,
    logger,
  });
  const holdsWal = (stream: WalStreamKey, range: LsnRange) =>
    missingFrom([range], store.position(stream)?.runs ?? []).length === 0;
  const backups = new BackupService({
    coordinatorId,
    repository,
    unfinished,
    membership,
    copies: tracker,
    walProblem: (node) => ingest.status().find((one) => one.node === node && one.state === 'broken')?.problem ?? null,
    holdsWal,
    dial,
    nextId: async (leadership) => formatTimestamp(await timestamps.next(leadership)),
    zstd,
    clock,
    metrics: observer.backups,
    onUnreadable: (object, error) => {
      observer.error(error);
      logger.error({ err: error, object }, 'a base backup’s manifest cannot be read');
    },
    nodesAtOnce: config.backup.nodes_at_once,
    workers: config.backup.workers,
    compressionLevel: 0,
  });
  const objectCopies = (object: string) => tracker.objectCopies(object);
  const anyTime = new AnyTime({
    repository: copy,
    catalogue: new SnapshotCatalogue(copy),
    match: config.transactions.match,
    clock,
    dataCenter,
    copies: (stream) => tracker.copies(stream),
    takeSnapshot: () => (snapshots.leading ? () => snapshots.createSnapshot({ label: '' }) : null),
  });
  const snapshotBackend = new AdminSnapshots({
    anyTime,
    service: snapshots,
    backups: () => backups.list(),
    objectCopies,
    dataCenter,
    holdsWal,
  });
  const restoreBackend = new RestoreService({
    repository: copy,
    zstd,
    anyTime,
    clock,
    dial,
    addresses: () => [address, ...peers.others().map((other) => other.address)],
    objectCopies,
    onEnded: observer.restoreEnded,
  });
  const status = new StatusCollector({
    cluster: config.cluster,
    coordinatorId,
    dataCenter,
    repositoryId,
    coordination,
    leadership: () => election.current(),
    membership,
    tracker,
    ingest,
    peers,
    backups,
    snapshots: snapshotBackend,
    toldUntilUs: (nodes, canDeclare) => clocks.toldUntilUs(nodes, canDeclare),
    snapshotCurrentAtMs: () => snapshots.currentAtMs,
    lostWal: async (node, systemIdentifier) =>
      (await listWalGaps(repository, node, systemIdentifier)).flatMap((gap) =>
        missingFrom([gap], store.position(gap.stream)?.runs ?? []).map((range) => ({
          ...range,
          timeline: gap.stream.timeline,
        })),
      ),
    transactions: () => snapshots.transactions(),
    storageProblems: () => observer.storageProblems,
    clock,
    snapshotAgeMaxMs: config.snapshots.interval * SNAPSHOT_AGE_INTERVALS,
  });
  status.provideMetrics(metrics);

  server.addService(protocol.Registry.service, {
    ...registryService({
      coordinatorId,
      coordination,
      leadership: () => election.current(),
      membership,
      terms,
      channelTo: (to) => peers.channel(to),
      heartbeatIntervalMs: config.agents.heartbeat,
    }),
  });
  server.addService(protocol.Peer.service, {
    ...peerService({
      coordinatorId,
      dataCenter,
      repositoryId,
      store,
      repository,
      unfinished,
      tracker,
      terms,
      heardAcknowledged: (stream) => follower.acknowledged(stream),
      clock,
      storageProblems: () => observer.storageProblems,
      stopping: server.stopping,
    }),
  });
  server.addService(protocol.Repository.service, { ...repositoryService(copy) });
  server.addService(protocol.Admin.service, {
    ...adminHandlers({
      backends: { backups, snapshots: snapshotBackend, restores: restoreBackend, status },
      route,
      coordination,
      onError: observer.error,
    }),
  });

  const listening = await server.listen(config.listen);
  address = config.advertise ?? listening;
  logger.info({ address: listening, advertised: address, dataCenter, repository: root }, 'listening');
  if (config.metrics.listen !== undefined) {
    const http = new ObservabilityHttp({
      metrics,
      insecure: config.metrics.insecure,
      health: () => {
        const problems = [
          ...observer.storageProblems,
          ...(coordination.reachable() ? [] : ['the coordination service does not answer']),
        ];
        return { ok: problems.length === 0, problems };
      },
    });
    logger.info({ address: await http.listen(config.metrics.listen) }, 'metrics and health');
    services.push(http);
  }
  await coordination.start(repositoryId);
  services.push(
    new RpcService(server),
    new CoordinationWatch({ coordination, clock, logger, onLeaderChange: observer.leaderChanged }),
    mesh,
    follower,
    holeFiller,
    abandonedPacks,
    status,
    election,
  );
  return services;
}
