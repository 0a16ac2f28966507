import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { manifestBelow, NODES_PREFIX } from '../../shared/repository/layout.ts';
import type { Repository } from '../../shared/repository/repository.ts';
import type { UnfinishedBackups } from './unfinished-backups.ts';

const INTERVAL_MS = 5_000;

/** What another coordinator is asked about base backups, each called by its prefix. Both throw if it does not answer. */
export interface BackupPeer {
  readonly dataCenter: string;
  /** Those that it is taking. */
  backupsTaken(signal: AbortSignal): Promise<readonly string[]>;
  hasManifest(prefix: string, signal: AbortSignal): Promise<boolean>;
}

export interface AbandonedPacksOptions {
  readonly dataCenter: string;
  /** In how many data centres a backup lies before it counts. */
  readonly copiesRequired: number;
  readonly repository: Pick<Repository, 'directories' | 'stat'>;
  readonly unfinished: UnfinishedBackups;
  /** All other coordinators that are alive; null while that is not known. */
  readonly peers: () => readonly BackupPeer[] | null;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

/**
 * Removes from this copy what base backups have left that failed or whose leader died: packs without a manifest, of a backup that
 * neither this coordinator nor any other takes, and of which no other has a manifest. All that are alive must have said so, in the required
 * number of data centres: as long as one of them is silent, nothing is removed.
 */
export class AbandonedPacks implements Service {
  readonly name = 'abandoned-packs';
  readonly #options: AbandonedPacksOptions;
  /** Backups that have a manifest here: nothing takes it away, so they are not looked at again. */
  readonly #whole = new Set<string>();

  constructor(options: AbandonedPacksOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, intervalMs = INTERVAL_MS } = this.#options;
    while (!signal.aborted) {
      try {
        await this.sweep(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.debug({ err: error }, 'the packs of unfinished base backups stay for now');
      }
      await clock.sleep(intervalMs, signal).catch(() => {});
    }
  }

  /** Looks once. @throws what a peer or the repository fails with; nothing was removed that should not be */
  async sweep(signal: AbortSignal): Promise<void> {
    const { unfinished, dataCenter, copiesRequired } = this.#options;
    const found = await this.#packsWithoutManifest();
    if (found.length === 0) return;
    // Asked for after the packs were seen: whoever made them was known here before they came.
    const peers = this.#options.peers();
    if (peers === null) return;
    const dataCenters = new Set([dataCenter, ...peers.map((peer) => peer.dataCenter)]);
    if (dataCenters.size < copiesRequired) return;
    const claimed = new Set((await Promise.all(peers.map((peer) => claimedBy(peer, found, signal)))).flat());
    for (const prefix of found) {
      if (!claimed.has(prefix)) await unfinished.removeAbandoned(prefix);
    }
  }

  async #packsWithoutManifest(): Promise<readonly string[]> {
    const { repository, unfinished } = this.#options;
    const found: string[] = [];
    for (const node of await repository.directories(NODES_PREFIX)) {
      for (const systemIdentifier of await repository.directories(`${NODES_PREFIX}${node}/`)) {
        const backups = `${NODES_PREFIX}${node}/${systemIdentifier}/backups/`;
        for (const id of await repository.directories(backups)) {
          const prefix = `${backups}${id}/`;
          if (this.#whole.has(prefix) || unfinished.isBusy(prefix)) continue;
          if ((await repository.stat(manifestBelow(prefix))) !== null) this.#whole.add(prefix);
          else if ((await unfinished.packs(prefix)).length > 0) found.push(prefix);
        }
      }
    }
    return found;
  }
}

/** What it takes is asked first: a backup that is not taken any more has a manifest there already, or never will. */
async function claimedBy(peer: BackupPeer, found: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const claimed = [...(await peer.backupsTaken(signal))];
  for (const prefix of found) {
    if (!claimed.includes(prefix) && (await peer.hasManifest(prefix, signal))) claimed.push(prefix);
  }
  return claimed;
}
