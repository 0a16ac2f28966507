import type { RestoreEvent, RestorePlanSummary, RestoreRequest } from '../../shared/admin/restore.ts';
import { isComputed } from '../../shared/any-time/snapshot-at.ts';
import { planSnapshot } from '../../shared/cluster-restore/choose-snapshot.ts';
import { matchTargets } from '../../shared/cluster-restore/cluster-restore.ts';
import { summarizePlan } from '../../shared/cluster-restore/plan-summary.ts';
import { runRestore } from '../../shared/cluster-restore/run-restore.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { FrameDecompressor } from '../../shared/repository/backup-manifest-file.ts';
import { snapshotPath } from '../../shared/repository/layout.ts';
import { readContents } from '../../shared/repository/repository-contents.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import { SnapshotCatalogue } from '../../shared/repository/snapshot-catalogue.ts';
import { planRestore, type RestorePlan } from '../../shared/restore-plan/restore-plan.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { AnyTime } from '../any-time/any-time.ts';
import type { RestoreBackend } from '../admin/admin-backends.ts';

interface RestoreServiceOptions {
  readonly repository: ReadableRepository;
  readonly zstd: FrameDecompressor;
  readonly anyTime: Pick<AnyTime, 'at' | 'dataCenters'>;
  readonly clock: Clock;
  /** Opens a channel to an agent. */
  readonly dial: (address: string) => Channel;
  /** Where agents reach the coordinators, this one first: they take the bytes from there. */
  readonly addresses: () => readonly string[];
  /** The data centres that are known to hold an object. */
  readonly objectCopies: (path: string) => readonly string[];
  /** A restore that began has ended. */
  readonly onEnded: (result: 'done' | 'failed') => void;
}

/** Plans and runs restores from this coordinator's copy. It needs no leadership: a restore writes nothing into a copy. */
export class RestoreService implements RestoreBackend {
  readonly #options: RestoreServiceOptions;
  readonly #catalogue: SnapshotCatalogue;
  /** Two restores into one directory would destroy each other's work. */
  readonly #places = new Set<string>();

  constructor(options: RestoreServiceOptions) {
    this.#options = options;
    this.#catalogue = new SnapshotCatalogue(options.repository);
  }

  /** @throws TidemarkError TM-RESTORE-001 with what is missing, TM-RESTORE-003, TM-SNAP-001 */
  async plan(request: RestoreRequest): Promise<RestorePlanSummary> {
    const plan = await this.#plan(request);
    matchTargets(plan, request.targets);
    return summarizePlan(plan, request.targets, this.#copies(plan));
  }

  /** @throws TidemarkError as {@link plan}; TM-RESTORE-004 to 007 */
  async *run(request: RestoreRequest, signal: AbortSignal): AsyncIterable<RestoreEvent> {
    const { clock, dial, addresses } = this.#options;
    const places = request.targets.map(({ agentAddress, directory }) => `${agentAddress}:${directory}`);
    const taken = places.find((place) => this.#places.has(place));
    if (taken !== undefined) {
      throw new TidemarkError('TM-RESTORE-007', `a restore into ${taken} is running`, { hint: 'Wait for its end.' });
    }
    for (const place of places) {
      this.#places.add(place);
    }
    let result: 'done' | 'failed' = 'failed';
    try {
      const plan = await this.#plan(request);
      const source = { kind: 'coordinators', addresses: addresses() } as const;
      const running = { plan, request, source, dial, clock, dataCenters: this.#copies(plan) };
      for await (const event of runRestore(running, signal)) {
        if (event.kind === 'report') result = 'done';
        yield event;
      }
    } finally {
      this.#options.onEnded(result);
      for (const place of places) {
        this.#places.delete(place);
      }
    }
  }

  async #plan({ snapshotId, timeUs }: RestoreRequest): Promise<RestorePlan> {
    const { repository, zstd, anyTime } = this.#options;
    if (timeUs !== undefined) {
      const snapshot = await anyTime.at(timeUs);
      // Read afterwards: what the cut was computed from is there.
      return planRestore(snapshot, await readContents(repository, zstd));
    }
    return await planSnapshot(this.#catalogue, await readContents(repository, zstd), snapshotId);
  }

  #copies(plan: RestorePlan): readonly string[] {
    const { anyTime, objectCopies } = this.#options;
    return isComputed(plan.snapshot)
      ? anyTime.dataCenters(plan.snapshot)
      : objectCopies(snapshotPath(plan.snapshot.id));
  }
}
