import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { CoordinatorInfo, LeaderInfo, Leadership } from '../../coordinator/coordination/coordination.ts';
import { UnfinishedBackups } from '../../coordinator/backups/unfinished-backups.ts';
import { AcknowledgementTracker } from '../../coordinator/copies/acknowledgement-tracker.ts';
import { CopyReader } from '../../coordinator/copies/copy-reader.ts';
import { Follower } from '../../coordinator/copies/follower.ts';
import { HoleFiller } from '../../coordinator/copies/hole-filler.ts';
import { ObjectMesh } from '../../coordinator/copies/object-mesh.ts';
import { ObservedRepository } from '../../coordinator/copies/observed-repository.ts';
import { peerService } from '../../coordinator/copies/peer-service.ts';
import { Peers } from '../../coordinator/copies/peers.ts';
import { repositoryService } from '../../coordinator/copies/repository-service.ts';
import { WalIngest } from '../../coordinator/ingest/wal-ingest.ts';
import type { FrameCodec } from '../../coordinator/journal/overlap.ts';
import type { WalPosition } from '../../coordinator/journal/wal-positions.ts';
import { WalStore } from '../../coordinator/journal/wal-store.ts';
import { TermStore } from '../../shared/term/term-store.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../shared/lifecycle/clock.ts';
import { NO_LSN } from '../../shared/postgres/lsn.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import { silentLogger } from '../../shared/observability/logger.ts';
import { PosixRepository } from '../../shared/repository/posix-repository.ts';
import { protocol } from '../../shared/rpc/proto.ts';
import { RpcServer } from '../../shared/rpc/server.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { LossyDisk } from './lossy-disk.ts';
import { storedCodec } from './made-wal.ts';

export interface CopiesClusterOptions {
  readonly directory: string;
  /** Coordinator id to data centre. */
  readonly dataCenters: ReadonlyMap<string, string>;
  readonly copiesRequired: number;
  /** Asked whenever somebody looks. */
  readonly instances: () => readonly Instance[];
  readonly zstd?: FrameCodec;
  readonly patienceMs?: number;
}

/** What a coordination service would say; the test is the service. */
class MadeCoordination {
  readonly #listeners = new Set<() => void>();
  #leader: LeaderInfo | null = null;
  readonly #coordinators = new Map<string, CoordinatorInfo>();

  leader(): LeaderInfo | null {
    return this.#leader;
  }

  coordinators(): readonly CoordinatorInfo[] {
    return [...this.#coordinators.values()];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(leader: LeaderInfo | null): void {
    this.#leader = leader;
    for (const listener of this.#listeners) listener();
  }

  add(coordinator: CoordinatorInfo): void {
    this.#coordinators.set(coordinator.coordinatorId, coordinator);
    for (const listener of this.#listeners) listener();
  }
}

/** A coordinator's parts that copies are made of, in this process, on a disk that loses what was not synced. */
export class MadeCoordinator {
  readonly id: string;
  readonly dataCenter: string;
  readonly path: string;
  readonly store: WalStore;
  readonly repository: ObservedRepository;
  readonly unfinished: UnfinishedBackups;
  readonly tracker: AcknowledgementTracker;
  readonly follower: Follower;
  readonly ingest: WalIngest;
  readonly address: string;
  readonly #parts: { posix: PosixRepository; server: RpcServer; peers: Peers; disk: LossyDisk };
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  #leading: AbortController | null = null;
  /** A leadership's duties end before those of the next begin. */
  #lastDuty: Promise<void> = Promise.resolve();

  private constructor(
    fields: Pick<
      MadeCoordinator,
      | 'id'
      | 'dataCenter'
      | 'path'
      | 'store'
      | 'repository'
      | 'unfinished'
      | 'tracker'
      | 'follower'
      | 'ingest'
      | 'address'
    >,
    services: readonly Service[],
    parts: { posix: PosixRepository; server: RpcServer; peers: Peers; disk: LossyDisk },
  ) {
    this.id = fields.id;
    this.dataCenter = fields.dataCenter;
    this.path = fields.path;
    this.store = fields.store;
    this.repository = fields.repository;
    this.unfinished = fields.unfinished;
    this.tracker = fields.tracker;
    this.follower = fields.follower;
    this.ingest = fields.ingest;
    this.address = fields.address;
    this.#parts = parts;
    this.#running.push(...services.map((service) => service.run(this.#stop.signal)));
  }

  static async start(id: string, dataCenter: string, coordination: MadeCoordination, options: CopiesClusterOptions) {
    const directory = path.join(options.directory, id);
    const posix = await PosixRepository.open(directory, { create: { cluster: 'c', repositoryId: randomUUID() } });
    const terms = await TermStore.open(path.join(options.directory, `${id}.term`));
    const disk = new LossyDisk();
    const notes: string[] = [];
    const store = await WalStore.open({
      repository: posix,
      zstd: options.zstd ?? storedCodec,
      openFile: disk.openFile,
      onNote: (note) => notes.push(note),
    });
    if (notes.length > 0) throw new Error(notes.join('\n'));
    const repository = new ObservedRepository(posix);
    const unfinished = new UnfinishedBackups({ repository, logger: silentLogger() });
    const tracker = new AcknowledgementTracker({
      coordinatorId: id,
      dataCenter,
      copiesRequired: options.copiesRequired,
    });
    const peers = new Peers({ coordination, coordinatorId: id, channel: {} });
    const { repositoryId } = posix.manifest;
    const shared = {
      coordinatorId: id,
      dataCenter,
      repositoryId,
      peers,
      store,
      repository,
      unfinished,
      tracker,
      terms,
    };
    const parts = { clock: systemClock, logger: silentLogger(), random: Math.random };
    const follower = new Follower({ ...shared, ...parts, coordination });
    const services = [
      follower,
      new ObjectMesh({ ...shared, ...parts }),
      new HoleFiller({ ...shared, ...parts, intervalMs: 100 }),
    ];
    const membership = {
      nodes: () => options.instances(),
      primary: (node: string) => options.instances().find((instance) => instance.node === node) ?? null,
      onChange: () => () => {},
    };
    const ingest = new WalIngest({
      ...shared,
      ...parts,
      membership,
      agentChannel: (address) => peers.channel(address),
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    });
    const server = new RpcServer();
    server.addService(
      protocol.Peer.service,
      peerService({
        ...shared,
        clock: systemClock,
        heardAcknowledged: (stream) => follower.acknowledged(stream),
        storageProblems: () => [],
        stopping: server.stopping,
      }),
    );
    server.addService(protocol.Repository.service, repositoryService(new CopyReader({ repository: posix, store })));
    const address = await server.listen('127.0.0.1:0');
    coordination.add({ coordinatorId: id, dataCenter, address });
    const fields = {
      id,
      dataCenter,
      path: directory,
      store,
      repository,
      unfinished,
      tracker,
      follower,
      ingest,
      address,
    };
    return new MadeCoordinator(fields, services, { posix, server, peers, disk });
  }

  get isLeading(): boolean {
    return this.#leading !== null;
  }

  lead(term: bigint): void {
    this.#leading?.abort(new TidemarkError('TM-LEAD-002', 'elected anew'));
    const leading = new AbortController();
    this.#leading = leading;
    const lose = (reason: string): void => leading.abort(new TidemarkError('TM-LEAD-002', reason));
    const leadership: Leadership = {
      term,
      signal: leading.signal,
      holdsNames: () => !leading.signal.aborted,
      put: async () => {},
      notifyHigherTerm: (other) => {
        if (other > term) lose(`term ${other} was seen`);
      },
      resign: async () => lose('resigned'),
    };
    const before = this.#lastDuty;
    const duty = async (): Promise<void> => {
      await before;
      await this.ingest.run(leadership, leading.signal);
      if (this.#leading === leading) this.#leading = null;
    };
    this.#lastDuty = duty();
  }

  /** The power fails: calls end at once, what was not synced is gone. */
  async crash(): Promise<void> {
    this.#parts.disk.cut();
    await this.stop();
    this.#parts.disk.restore();
  }

  async stop(): Promise<void> {
    const { posix, server, peers } = this.#parts;
    this.#leading?.abort(new TidemarkError('TM-LEAD-002', 'the process ends'));
    this.#stop.abort(new TidemarkError('TM-RPC-001', 'the process ends'));
    const stopped = server.stop(0);
    peers.close();
    await this.store.close();
    await stopped;
    await Promise.all([...this.#running, this.#lastDuty]);
    await posix.close();
  }
}

/** Coordinators in one process; the test decides who leads, who dies and whose disk is lost. */
export class CopiesCluster implements AsyncDisposable {
  readonly coordination = new MadeCoordination();
  readonly #options: CopiesClusterOptions;
  readonly #coordinators = new Map<string, MadeCoordinator>();
  /** What those that crashed had called durable, each by itself. */
  readonly #promised = new Map<string, readonly WalPosition[]>();
  #term = 0n;

  constructor(options: CopiesClusterOptions) {
    this.#options = options;
  }

  get running(): readonly MadeCoordinator[] {
    return [...this.#coordinators.values()];
  }

  get(id: string): MadeCoordinator {
    const found = this.#coordinators.get(id);
    if (found === undefined) throw new Error(`${id} does not run`);
    return found;
  }

  async start(...ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const dataCenter = this.#options.dataCenters.get(id) ?? id;
      const started = await MadeCoordinator.start(id, dataCenter, this.coordination, this.#options);
      this.#coordinators.set(id, started);
      for (const { stream, durableLsn } of this.#promised.get(id) ?? []) {
        const found = started.store.position(stream)?.durableLsn ?? NO_LSN;
        if (found < durableLsn) throw new Error(`${id} called ${durableLsn} durable, and has ${found} after a crash`);
      }
    }
  }

  /** Elects one. The one before is not told: it is a zombie until it meets the new term. */
  elect(id: string): void {
    const { dataCenter, address } = this.get(id);
    this.#term += 1n;
    this.get(id).lead(this.#term);
    this.coordination.set({ coordinatorId: id, dataCenter, address, term: this.#term });
  }

  async crash(id: string): Promise<void> {
    const coordinator = this.get(id);
    this.#coordinators.delete(id);
    this.#promised.set(id, coordinator.store.positions());
    await coordinator.crash();
  }

  /** The disk of one that does not run is lost. */
  async destroy(id: string): Promise<void> {
    if (this.#coordinators.has(id)) throw new Error(`${id} runs`);
    this.#promised.delete(id);
    await rm(path.join(this.#options.directory, id), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const coordinator of this.#coordinators.values()) await coordinator.stop();
    this.#coordinators.clear();
  }
}
