import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { RemoteRepository } from '../../shared/repository/remote-repository.ts';
import type { ObjectEntry } from '../../shared/repository/repository.ts';
import type { UnfinishedBackups } from '../backups/unfinished-backups.ts';
import type { CoordinatorInfo } from '../coordination/coordination.ts';
import type { AcknowledgementTracker } from './acknowledgement-tracker.ts';
import { MESH_PREFIXES, isBackupManifest, isMeshObject } from './mesh-objects.ts';
import { ObjectFetcher } from './object-fetcher.ts';
import type { ObservedRepository } from './observed-repository.ts';
import { followObjects, type FollowObjectsCall } from './peer-client.ts';
import type { Peers } from './peers.ts';

const DISCOVERY_MS = 1_000;
/** Objects of one peer that are fetched side by side. */
const FETCHES_MAX = 4;

export interface ObjectMeshOptions {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly repositoryId: string;
  readonly peers: Peers;
  readonly repository: ObservedRepository;
  readonly unfinished: UnfinishedBackups;
  readonly tracker: AcknowledgementTracker;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Fetches what other coordinators have and this one has not: snapshots, base backups, timeline histories, declared gaps. The own objects
 * are made known to the tracker too.
 */
export class ObjectMesh implements Service {
  readonly name = 'object-mesh';
  readonly #options: ObjectMeshOptions;
  readonly #fetcher: ObjectFetcher;

  constructor(options: ObjectMeshOptions) {
    this.#options = options;
    this.#fetcher = new ObjectFetcher(options);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { peers, repository, tracker, clock } = this.#options;
    const endListening = repository.onCreated((path) => {
      if (isMeshObject(path)) tracker.objectStored(path, this.#options);
    });
    const sessions = new Map<string, Promise<void>>();
    try {
      for (const prefix of MESH_PREFIXES) {
        for await (const { path } of repository.list(prefix)) {
          if (isMeshObject(path)) tracker.objectStored(path, this.#options);
        }
      }
      while (!signal.aborted) {
        for (const peer of peers.others()) {
          const id = `${peer.coordinatorId} ${peer.address}`;
          if (sessions.has(id)) continue;
          sessions.set(
            id,
            this.#follow(peer, signal).finally(() => sessions.delete(id)),
          );
        }
        await clock.sleep(DISCOVERY_MS, signal).catch(() => {});
      }
    } finally {
      endListening();
      await Promise.allSettled(sessions.values());
    }
  }

  /** Follows one peer until the call ends. Never rejects. */
  async #follow(peer: CoordinatorInfo, signal: AbortSignal): Promise<void> {
    const { peers, coordinatorId, dataCenter, repositoryId, logger, clock } = this.#options;
    const call = new AbortController();
    const onAbort = (): void => call.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const channel = peers.channel(peer.address);
      const following = followObjects(channel, { coordinatorId, dataCenter, repositoryId }, call.signal);
      const source = new RemoteRepository({ channels: [channel], signal: call.signal });
      await this.#storeAll(following, source, peer, call);
    } catch (error) {
      if (signal.aborted) return;
      logger.debug({ err: error, peer: peer.coordinatorId }, 'the objects of a peer are not followed');
      await clock.sleep(DISCOVERY_MS, signal).catch(() => {});
    } finally {
      signal.removeEventListener('abort', onAbort);
      call.abort(new TidemarkError('TM-RPC-001', 'the call is over'));
    }
  }

  async #storeAll(
    following: FollowObjectsCall,
    source: RemoteRepository,
    peer: CoordinatorInfo,
    call: AbortController,
  ): Promise<void> {
    const { repository, tracker } = this.#options;
    const running = new Set<Promise<void>>();
    const onStored = async (path: string): Promise<void> => {
      tracker.objectStored(path, peer);
      await following.sendStored(path);
    };
    const store = async (object: ObjectEntry): Promise<void> => {
      if (await this.#fetcher.fetch(object, source)) await onStored(object.path);
    };
    try {
      for await (const object of following.objects) {
        if (!isMeshObject(object.path)) {
          throw new TidemarkError('TM-REPO-006', `${peer.coordinatorId} offers ${object.path}`);
        }
        if (isBackupManifest(object.path) && (await repository.stat(object.path)) === null) {
          await Promise.all(running);
          await this.#fetcher.fetchBackup(object, source, onStored);
          continue;
        }
        const storing = store(object).catch((error: unknown) => call.abort(error));
        const done = storing.finally(() => running.delete(done));
        running.add(done);
        if (running.size >= FETCHES_MAX) await Promise.race(running);
      }
    } finally {
      call.abort(new TidemarkError('TM-RPC-001', 'the call is over'));
      await Promise.allSettled(running);
    }
  }
}
