import { TidemarkError } from '../errors/tidemark-error.ts';
import { SNAPSHOTS_PREFIX, snapshotPath } from './layout.ts';
import { readObject } from './read-object.ts';
import type { ReadableRepository } from './repository.ts';
import { decodeSnapshot, type Snapshot } from './snapshot-manifest.ts';

/** A manifest is far below this; more is damage. */
const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;

/** The snapshots that lie in a copy. Ids sort by time; objects never change, so what was read once is kept. */
export class SnapshotCatalogue {
  readonly #repository: ReadableRepository;
  /** The newest ones only, so that a long list does not stay in memory. */
  readonly #known = new Map<string, Snapshot>();
  readonly #knownMax: number;

  constructor(repository: ReadableRepository, knownMax = 1000) {
    this.#repository = repository;
    this.#knownMax = knownMax;
  }

  /** Newest first. @param limit 0: all */
  async ids(limit = 0): Promise<string[]> {
    const ids: string[] = [];
    for await (const { path } of this.#repository.list(SNAPSHOTS_PREFIX)) {
      if (path.endsWith('.json')) {
        ids.push(path.slice(SNAPSHOTS_PREFIX.length, -'.json'.length));
      }
    }
    ids.reverse();
    return limit === 0 ? ids : ids.slice(0, limit);
  }

  /** Newest first. @param limit 0: all */
  async list(limit = 0): Promise<Snapshot[]> {
    const snapshots: Snapshot[] = [];
    for (const id of await this.ids(limit)) {
      snapshots.push(await this.#read(id));
    }
    return snapshots;
  }

  /**
   * @param idOrLatest `latest`: the last complete one
   * @throws TidemarkError TM-SNAP-001 if there is none
   */
  async get(idOrLatest: string): Promise<Snapshot> {
    if (idOrLatest === 'latest') {
      const latest = await this.latest();
      if (latest === null) {
        throw new TidemarkError('TM-SNAP-001', `there is no complete snapshot in ${this.#repository.name} yet`);
      }
      return latest;
    }
    if ((await this.#repository.stat(snapshotPath(idOrLatest))) === null) {
      throw new TidemarkError('TM-SNAP-001', `there is no snapshot ${idOrLatest} in ${this.#repository.name}`);
    }
    return await this.#read(idOrLatest);
  }

  /** The last complete one; null if there is none. */
  async latest(): Promise<Snapshot | null> {
    for (const id of await this.ids()) {
      const snapshot = await this.#read(id);
      if (snapshot.complete) {
        return snapshot;
      }
    }
    return null;
  }

  async #read(id: string): Promise<Snapshot> {
    const known = this.#known.get(id);
    if (known !== undefined) {
      return known;
    }
    const path = snapshotPath(id);
    const snapshot = decodeSnapshot(await readObject(this.#repository, path, MANIFEST_BYTES_MAX), path);
    if (snapshot.id !== id) {
      throw new TidemarkError('TM-REPO-003', `${path} is the manifest of snapshot ${snapshot.id}`);
    }
    this.#known.set(id, snapshot);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#knownMax) {
        break;
      }
      this.#known.delete(oldest);
    }
    return snapshot;
  }
}
