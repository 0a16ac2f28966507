import {
  type BackupEvent,
  type BackupRequest,
  type BackupSummary,
  summarizeBackup,
} from '../../shared/admin/backup.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import {
  type FrameCompressor,
  type FrameDecompressor,
  readBackupManifest,
} from '../../shared/repository/backup-manifest-file.ts';
import { NODES_PREFIX } from '../../shared/repository/layout.ts';
import type { Repository } from '../../shared/repository/repository.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import { callStream } from '../../shared/rpc/streams.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import type { BackupBackend } from '../admin/admin-backends.ts';
import type { Leadership } from '../coordination/coordination.ts';
import { type BaseBackupPart, baseBackupPart } from './base-backup-stream.ts';
import { EventQueue } from './event-queue.ts';
import { type BackupCopies, takeNodeBackup } from './node-backup.ts';
import type { UnfinishedBackups } from './unfinished-backups.ts';

/** As much of Membership as backups need. */
export interface BackupMembership {
  nodes(): readonly { readonly node: string; readonly systemIdentifier: string }[];
  /** Nodes of the cluster that have never made themselves known. */
  missing(): readonly string[];
  primary(node: string): Instance | null;
}

export interface BackupMetrics {
  finished(node: string, durationMs: number, bytes: number, storedBytes: number): void;
  failed(node: string, error: TidemarkError): void;
}

export interface BackupServiceOptions {
  readonly coordinatorId: string;
  readonly repository: Repository;
  readonly unfinished: UnfinishedBackups;
  readonly membership: BackupMembership;
  readonly copies: BackupCopies;
  /** Why WAL of the node does not flow and will not by itself; null if nothing is known to stand in its way. */
  readonly walProblem: (node: string) => string | null;
  readonly holdsWal: (stream: WalStreamKey, range: LsnRange) => boolean;
  /** Opens a connection to an agent of its own for each backup. */
  readonly dial: (address: string) => Channel;
  /** A new name, increasing over leaders. */
  readonly nextId: (leadership: Leadership) => Promise<string>;
  readonly zstd: FrameCompressor & FrameDecompressor;
  readonly clock: Clock;
  readonly metrics: BackupMetrics;
  /** A manifest in this coordinator's copy cannot be read. */
  readonly onUnreadable: (path: string, error: TidemarkError) => void;
  /** Nodes that are backed up at a time. */
  readonly nodesAtOnce: number;
  /** Reading threads of the agent; 0: its default. */
  readonly workers: number;
  /** 0: the agent's default. */
  readonly compressionLevel: number;
}

interface Target {
  readonly node: string;
  readonly systemIdentifier: string;
}

/**
 * Takes base backups while this coordinator leads, and lists those that its repository holds. A backup has a manifest if and only
 * if it is whole, and one node has at most one backup running.
 */
export class BackupService implements BackupBackend {
  readonly #options: BackupServiceOptions;
  readonly #running = new Set<string>();
  /** Manifests never change, so a summary is read once. */
  readonly #summaries = new Map<string, BackupSummary>();
  /** Each is told once. */
  readonly #unreadable = new Set<string>();

  constructor(options: BackupServiceOptions) {
    this.#options = options;
  }

  /**
   * Backs nodes up. The other nodes' backups go on when one fails; the first failure is thrown at the end. Leaving the
   * iteration early aborts what is running.
   * @throws TidemarkError TM-USAGE-001 for a node that is not known, TM-BACKUP-001, TM-RPC-*
   */
  async *create(request: BackupRequest, leadership: Leadership, signal: AbortSignal): AsyncGenerator<BackupEvent> {
    const targets = this.#targets(request.nodes);
    const abandoned = new AbortController();
    const all = AbortSignal.any([leadership.signal, signal, abandoned.signal]);
    const events = new EventQueue<BackupEvent>();
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (let target = targets.shift(); target !== undefined; target = targets.shift()) {
        try {
          await this.#backUp(target, leadership, all, events);
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const work = Promise.all(Array.from({ length: Math.max(1, this.#options.nodesAtOnce) }, worker)).then(() =>
      events.end(failures[0] ?? null),
    );
    try {
      yield* events.read();
    } finally {
      abandoned.abort(new TidemarkError('TM-BACKUP-001', 'the backup was abandoned by its caller'));
      await work;
    }
  }

  /**
   * Every whole backup that this coordinator's copy holds, newest first; whoever leads. One whose manifest cannot be read is told and
   * left out, so that it does not hide the others.
   */
  async list(): Promise<readonly BackupSummary[]> {
    const { repository } = this.#options;
    const found: BackupSummary[] = [];
    for (const node of await repository.directories(NODES_PREFIX)) {
      for (const systemIdentifier of await repository.directories(`${NODES_PREFIX}${node}/`)) {
        const prefix = `${NODES_PREFIX}${node}/${systemIdentifier}/backups/`;
        for (const id of await repository.directories(prefix)) {
          const summary = await this.#readable(`${prefix}${id}/manifest.json.zst`);
          if (summary !== null) found.push(summary);
        }
      }
    }
    return found.sort((a, b) => (a.id > b.id ? -1 : a.id < b.id ? 1 : 0));
  }

  /** @throws TidemarkError TM-BACKUP-002 */
  async get(id: string): Promise<BackupSummary> {
    const backup = (await this.list()).find((candidate) => candidate.id === id);
    if (backup === undefined) throw new TidemarkError('TM-BACKUP-002', `there is no base backup ${id}`);
    return backup;
  }

  #targets(nodes: readonly string[]): Target[] {
    const { membership } = this.#options;
    // One that has never registered has its backup fail, instead of being left out unseen.
    const known = [...membership.nodes(), ...membership.missing().map((node) => ({ node, systemIdentifier: '' }))];
    const wanted = nodes.length === 0 ? known.map((target) => target.node) : [...new Set(nodes)];
    if (wanted.length === 0) throw new TidemarkError('TM-BACKUP-001', 'no node has registered yet');
    return wanted.map((node) => {
      const target = known.find((candidate) => candidate.node === node);
      if (target === undefined) {
        throw new TidemarkError('TM-USAGE-001', `there is no node ${node}`, {
          hint: `The nodes are: ${known.map((candidate) => candidate.node).join(', ')}.`,
        });
      }
      return { node, systemIdentifier: target.systemIdentifier };
    });
  }

  async #backUp(
    target: Target,
    leadership: Leadership,
    signal: AbortSignal,
    events: EventQueue<BackupEvent>,
  ): Promise<void> {
    const { clock, metrics } = this.#options;
    const { node } = target;
    const beganMs = clock.monotonicMs();
    try {
      signal.throwIfAborted();
      if (this.#running.has(node))
        throw new TidemarkError('TM-BACKUP-001', `a base backup of ${node} is running already`);
      this.#running.add(node);
      try {
        const backup = await this.#takeBackup(target, leadership, signal, events);
        metrics.finished(node, clock.monotonicMs() - beganMs, Number(backup.bytes), Number(backup.storedBytes));
        events.push({ kind: 'backup', backup });
      } finally {
        this.#running.delete(node);
      }
    } catch (error) {
      const failure = failureOf(node, error);
      metrics.failed(node, failure);
      throw failure;
    }
  }

  async #takeBackup(
    target: Target,
    leadership: Leadership,
    signal: AbortSignal,
    events: EventQueue<BackupEvent>,
  ): Promise<BackupSummary> {
    const { node } = target;
    const broken = this.#options.walProblem(node);
    if (broken !== null) {
      throw new TidemarkError('TM-BACKUP-001', `its WAL does not flow: ${broken}`, {
        hint: 'Without the WAL that follows, its files are worth nothing: see tidemark status.',
      });
    }
    const instance = this.#options.membership.primary(node);
    if (instance === null) throw new TidemarkError('TM-BACKUP-001', `no primary of ${node} is known`);
    const id = await this.#options.nextId(leadership);
    const channel = this.#options.dial(instance.advertisedAddress);
    try {
      const { manifest, dataCenters } = await takeNodeBackup({
        ...this.#options,
        ...target,
        id,
        signal,
        parts: this.#parts(channel, id, leadership.term, signal),
        onProgress: (phase, bytesDone, bytesTotal) =>
          events.replace(node, {
            kind: 'progress',
            progress: { phase, node, bytesDone: BigInt(bytesDone), bytesTotal: BigInt(bytesTotal), message: '' },
          }),
      });
      return summarizeBackup(manifest, dataCenters);
    } finally {
      channel.close();
    }
  }

  async *#parts(channel: Channel, id: string, term: bigint, signal: AbortSignal): AsyncGenerator<BaseBackupPart> {
    const { coordinatorId, workers, compressionLevel } = this.#options;
    const request = {
      fence: { term: term.toString(), coordinatorId },
      backupId: id,
      workers,
      compressionLevel,
      fastCheckpoint: true,
    };
    for await (const message of callStream(channel.agent, 'TakeBaseBackup', request, { signal })) {
      yield baseBackupPart(message);
    }
  }

  /** Null if there is no manifest yet, or none that can be read. */
  async #readable(path: string): Promise<BackupSummary | null> {
    try {
      return await this.#summary(path);
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      if (error.code !== 'TM-REPO-002' && !this.#unreadable.has(path)) {
        this.#unreadable.add(path);
        this.#options.onUnreadable(path, error);
      }
      return null;
    }
  }

  async #summary(path: string): Promise<BackupSummary> {
    let summary = this.#summaries.get(path);
    if (summary === undefined) {
      summary = summarizeBackup(await readBackupManifest(this.#options.repository, path, this.#options.zstd), []);
      this.#summaries.set(path, summary);
    }
    return { ...summary, dataCenters: this.#options.copies.objectCopies(path) };
  }
}

/** Says which node it was, and what to do where the code's own remedy is for someone else. */
function failureOf(node: string, error: unknown): TidemarkError {
  if (!(error instanceof TidemarkError)) {
    const message = error instanceof Error ? error.message : String(error);
    return new TidemarkError('TM-BACKUP-001', `base backup of ${node}: ${message}`, { cause: error });
  }
  const { code, message, retryable } = error;
  const hint = code === 'TM-LEAD-002' ? 'The backup ended with its leader: take it again.' : error.hint;
  return new TidemarkError(code, `base backup of ${node}: ${message}`, { hint, retryable, cause: error });
}
