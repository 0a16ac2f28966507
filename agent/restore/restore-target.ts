import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably } from '../../shared/files/durable-file.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { CONTROL_FILE_PATH } from '../../shared/postgres/pg-control.ts';
import { majorOfVersionNum } from '../../shared/postgres/versions.ts';
import type { FrameDecompressor } from '../../shared/repository/backup-manifest-file.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import { checkAssertions } from './assertions.ts';
import { listPrepared, matchInDoubt, resolveInDoubt } from './in-doubt.ts';
import { findPostgres, type PostgresProgram } from './postgres-programs.ts';
import { openedConfiguration } from './recovery-config.ts';
import { type RecoveryWatchOptions, statusOrNull, waitUntilPaused, waitUntilPromoted } from './recovery-watch.ts';
import { prepareFiles, removeSocketDirectory, type RestoreProgress, writeFence } from './restore-preparation.ts';
import { checkRestoreRequest, type InDoubtBranch, type RestoreRequest, type RestoreSource } from './restore-request.ts';
import { RestoredServer } from './restored-server.ts';
import {
  newState,
  type PreparedTransaction,
  type RestorePhase,
  type RestoreState,
  RestoreStateStore,
} from './restore-state.ts';
import { refuseUsedDirectories } from './target-directory.ts';

export interface RestoreTargetOptions {
  /** The agent's own; outlives restarts. */
  readonly stateDirectory: string;
  readonly superuser: string;
  /** Where postgres lies; left out: where distributions put it. */
  readonly binDirectory?: string | undefined;
  readonly openSource: (
    source: RestoreSource,
  ) => Promise<{ readonly repository: ReadableRepository; close(): Promise<void> }>;
  readonly zstd: FrameDecompressor;
  readonly workers: number;
  readonly clock: Clock;
  /** Recovery that shows no progress for this long has failed. */
  readonly stallTimeoutMs: number;
}

export interface Promotion {
  readonly prepared: readonly PreparedTransaction[];
  readonly replayLsn: Lsn;
  readonly timeline: number;
}

type OnProgress = (progress: RestoreProgress) => void;

const START_TIMEOUT_MS = 300_000;
const POLL_MS = 50;

/**
 * Restores of this host, step by step. A step can be repeated after any failure, of the agent too: how far a restore has come lies in
 * its state file, and each step does only what is left. Until `open` the server listens on nothing but a private socket, and
 * until `promote` it has replayed nothing behind the cut.
 */
export class RestoreTarget {
  readonly #options: RestoreTargetOptions;
  readonly #store: RestoreStateStore;
  readonly #busy = new Set<string>();

  constructor(options: RestoreTargetOptions) {
    this.#options = options;
    this.#store = new RestoreStateStore(path.resolve(options.stateDirectory));
  }

  /** Files and WAL pulled, verified, written and synced; recovery configured. */
  async prepare(request: RestoreRequest, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    checkRestoreRequest(request);
    await this.#exclusively(request.restoreId, async () => {
      const known = await this.#known(request);
      if (known === null) await refuseUsedDirectories(request);
      else checkSameRestore(known.request, request);
      if (known !== null && known.phase !== 'preparing') return;
      const state = known ?? newState(request);
      await this.#store.save(state);
      const source = await this.#options.openSource(request.source);
      try {
        await prepareFiles(state, {
          ...this.#options,
          repository: source.repository,
          store: this.#store,
          signal,
          onProgress,
          // Better before the first byte than after the last.
          onManifest: async (manifest) => {
            await this.#program(manifest.serverVersionNum);
          },
        });
      } finally {
        await source.close();
      }
    });
  }

  /** Null also if the directory of an earlier restore of this name was removed. */
  async #known(request: RestoreRequest): Promise<RestoreState | null> {
    const state = await this.#store.load(request.restoreId);
    if (state === null || state.phase === 'preparing') return state;
    return existsSync(path.join(state.request.directory, CONTROL_FILE_PATH)) ? state : null;
  }

  /** Returns when recovery is paused right after the target's record. */
  async startFenced(restoreId: string, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    await this.#step(restoreId, 'start', ['prepared', 'starting', 'paused', ...AFTER_PAUSE], async (state) => {
      if (isOpen(state)) return;
      const server = this.#server(state);
      const started = await this.#ensureStarted(state, server);
      if (isAfterPause(state.phase)) {
        await this.#untilAnswers(state, server, signal);
        return;
      }
      const starting = await this.#advance(started.state, 'starting');
      const { targetLsn } = state.request;
      const watch = this.#watch(state, server, signal, (replayLsn) =>
        onProgress({
          phase: 'recovery',
          bytesDone: 0,
          bytesTotal: 0,
          message:
            replayLsn === 0n ? 'until consistent' : `replayed to ${formatLsn(replayLsn)} of ${formatLsn(targetLsn)}`,
        }),
      );
      const { replayLsn, promoted } = await waitUntilPaused(watch, targetLsn, started.logFromByte);
      await this.#advance({ ...starting, replayLsn }, promoted ? 'promoting' : 'paused');
    });
  }

  /** Still fenced. Returns what was prepared when it was promoted, also when it is called again. */
  async promote(restoreId: string, signal: AbortSignal): Promise<Promotion> {
    return await this.#step(restoreId, 'promote', ['paused', ...AFTER_PAUSE], async (state) => {
      const { prepared, replayLsn, newTimeline } = isPromoted(state) ? state : await this.#promote(state, signal);
      return { prepared, replayLsn, timeline: newTimeline };
    });
  }

  async #promote(state: RestoreState, signal: AbortSignal): Promise<RestoreState> {
    const server = this.#server(state);
    const started = await this.#ensureStarted(state, server);
    await this.#untilAnswers(state, server, signal);
    const watch = this.#watch(state, server, signal);
    const promoting = await this.#advance(started.state, 'promoting');
    if ((await statusOrNull(watch))?.inRecovery === true) {
      // A server that was started anew meanwhile must first come to the cut again.
      await waitUntilPaused(watch, state.request.targetLsn, started.logFromByte);
      await server.query('SELECT pg_wal_replay_resume()');
    }
    await waitUntilPromoted(watch);
    const [row] = await server.query<{ timeline: number }>(
      "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int AS timeline",
    );
    const prepared = await listPrepared(server);
    return await this.#advance({ ...promoting, prepared, newTimeline: row?.timeline ?? 0 }, 'promoted');
  }

  /**
   * Finishes the prepared transactions as the snapshot decided.
   * @throws TidemarkError TM-RESTORE-005 if they are not exactly those; then nothing was resolved
   */
  async resolveInDoubt(
    restoreId: string,
    branches: readonly InDoubtBranch[],
    signal: AbortSignal,
  ): Promise<{ readonly committed: number; readonly rolledBack: number }> {
    const phases: RestorePhase[] = ['promoted', 'resolving', ...RESOLVED];
    const committed = branches.filter((branch) => branch.commit).length;
    const counts = { committed, rolledBack: branches.length - committed };
    return await this.#step(restoreId, 'resolve', phases, async (state) => {
      if (RESOLVED.includes(state.phase)) {
        matchInDoubt(state.prepared, branches, false);
        return counts;
      }
      const server = this.#server(state);
      const started = await this.#ensureStarted(state, server);
      await this.#untilAnswers(state, server, signal);
      matchInDoubt(state.prepared, branches, false);
      const resolutions = matchInDoubt(await listPrepared(server), branches, state.phase === 'resolving');
      const resolving = await this.#advance(started.state, 'resolving');
      await resolveInDoubt(server, resolutions);
      const left = await listPrepared(server);
      if (left.length > 0) {
        throw new TidemarkError('TM-RESTORE-005', `${left.length} transactions are still prepared: ${left[0]?.gid}`);
      }
      await this.#advance(resolving, 'resolved');
      return counts;
    });
  }

  /** Which assertions failed, in words. */
  async check(restoreId: string, assertions: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    return await this.#step(restoreId, 'check', RESOLVED, async (state) => {
      // It was opened because everything held.
      if (isOpen(state)) return [];
      const server = this.#server(state);
      await this.#ensureStarted(state, server);
      await this.#untilAnswers(state, server, signal);
      return await checkAssertions(server, assertions);
    });
  }

  /** Restarts the server with its own settings, open to clients. */
  async open(
    restoreId: string,
    signal: AbortSignal,
  ): Promise<{ readonly port: number; readonly socketDirectory: string }> {
    return await this.#step(restoreId, 'open', RESOLVED, async (state) => {
      const server = this.#server(state);
      let current = state;
      if (state.phase !== 'opened') {
        const program = await this.#program(state.serverVersionNum);
        current = await this.#advance(state, 'opening');
        await server.stop();
        const file = path.join(state.request.directory, 'postgresql.auto.conf');
        const content = openedConfiguration(await readFile(file, 'utf8'), state.request);
        await replaceFileDurably(file, content);
        await removeSocketDirectory(state.socketDirectory);
        await server.start(program);
      }
      const { port, socketDirectory } = await this.#untilReady(server, signal);
      if (state.phase !== 'opened') await this.#advance({ ...current, socketDirectory: '' }, 'opened');
      return { port, socketDirectory };
    });
  }

  /** Stops the fenced server. Its files stay, and the steps can go on from there. An open server is not touched. */
  async abandon(restoreId: string): Promise<void> {
    await this.#exclusively(restoreId, async () => {
      const state = await this.#store.load(restoreId);
      if (state === null) return;
      if (isOpen(state)) throw outOfOrder(state, 'abandon');
      await this.#server(state).stop();
      await removeSocketDirectory(state.socketDirectory);
      await this.#store.save({ ...state, socketDirectory: '' });
    });
  }

  async #step<T>(
    restoreId: string,
    step: string,
    phases: readonly RestorePhase[],
    work: (state: RestoreState) => Promise<T>,
  ): Promise<T> {
    return await this.#exclusively(restoreId, async () => {
      const state = await this.#store.load(restoreId);
      if (state === null) {
        throw new TidemarkError('TM-RESTORE-007', `this agent knows no restore ${restoreId}`);
      }
      if (!phases.includes(state.phase)) throw outOfOrder(state, step);
      return await work(state);
    });
  }

  async #exclusively<T>(restoreId: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(restoreId)) {
      throw new TidemarkError('TM-RESTORE-007', `another step of restore ${restoreId} is running`, { retryable: true });
    }
    this.#busy.add(restoreId);
    try {
      return await work();
    } finally {
      this.#busy.delete(restoreId);
    }
  }

  async #advance(state: RestoreState, phase: RestorePhase): Promise<RestoreState> {
    const next = { ...state, phase };
    await this.#store.save(next);
    return next;
  }

  /** Starts the fenced server if it does not run. */
  async #ensureStarted(
    state: RestoreState,
    server: RestoredServer,
  ): Promise<{ readonly state: RestoreState; readonly logFromByte: number }> {
    if ((await server.postmaster()) !== null) return { state, logFromByte: 0 };
    const program = await this.#program(state.serverVersionNum);
    await mkdir(this.#store.privateDirectory(state.request.restoreId), { recursive: true, mode: 0o700 });
    const fenced = await writeFence(state, this.#store, this.#options.superuser);
    await this.#store.save(fenced);
    const logFromByte = await server.logBytes();
    await server.start(program);
    return { state: fenced, logFromByte };
  }

  async #untilAnswers(state: RestoreState, server: RestoredServer, signal: AbortSignal): Promise<void> {
    const { clock, stallTimeoutMs } = this.#options;
    const beganMs = clock.monotonicMs();
    const watch = this.#watch(state, server, signal);
    while ((await statusOrNull(watch)) === null) {
      signal.throwIfAborted();
      if ((await server.postmaster()) === null) throw await server.failure('the restored server has ended');
      if (clock.monotonicMs() - beganMs > stallTimeoutMs)
        throw await server.failure('the restored server does not answer');
      await clock.sleep(POLL_MS, signal);
    }
  }

  async #untilReady(server: RestoredServer, signal: AbortSignal) {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    for (;;) {
      signal.throwIfAborted();
      const postmaster = await server.postmaster();
      if (postmaster === null) throw await server.failure('the restored server has ended when it was opened');
      if (postmaster.status === 'ready') return postmaster;
      if (clock.monotonicMs() - beganMs > START_TIMEOUT_MS)
        throw await server.failure('the opened server does not start');
      await clock.sleep(POLL_MS, signal);
    }
  }

  #server(state: RestoreState): RestoredServer {
    const { superuser, clock } = this.#options;
    const { directory, restoreId } = state.request;
    const logFile = path.join(this.#store.privateDirectory(restoreId), 'postgresql.log');
    return new RestoredServer({ directory, logFile, superuser, clock });
  }

  #watch(
    state: RestoreState,
    server: RestoredServer,
    signal: AbortSignal,
    onReplay: (replayLsn: Lsn) => void = () => undefined,
  ): RecoveryWatchOptions {
    const { clock, stallTimeoutMs } = this.#options;
    return { server, serverMajor: majorOfVersionNum(state.serverVersionNum), clock, stallTimeoutMs, signal, onReplay };
  }

  async #program(serverVersionNum: number): Promise<PostgresProgram> {
    return await findPostgres(this.#options.binDirectory, majorOfVersionNum(serverVersionNum));
  }
}

const RESOLVED: readonly RestorePhase[] = ['resolved', 'opening', 'opened'];
const PROMOTED: readonly RestorePhase[] = ['promoted', 'resolving', ...RESOLVED];
const AFTER_PAUSE: readonly RestorePhase[] = ['promoting', ...PROMOTED];

function isPromoted(state: RestoreState): boolean {
  return PROMOTED.includes(state.phase);
}

/** Whether clients may have been let in. */
function isOpen(state: RestoreState): boolean {
  return state.phase === 'opening' || state.phase === 'opened';
}

function isAfterPause(phase: RestorePhase): boolean {
  return AFTER_PAUSE.includes(phase);
}

function checkSameRestore(known: RestoreRequest, request: RestoreRequest): void {
  const { source: _a, settings: _b, ...one } = known;
  const { source: _c, settings: _d, ...other } = request;
  const text = (value: object): string =>
    JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
  if (text(one) !== text(other)) {
    throw new TidemarkError('TM-RESTORE-007', `restore ${request.restoreId} was begun with another request`, {
      hint: 'Start the restore under a new name.',
    });
  }
}

function outOfOrder(state: RestoreState, step: string): TidemarkError {
  return new TidemarkError(
    'TM-RESTORE-007',
    `restore ${state.request.restoreId} is ${state.phase}: it is not the time to ${step}`,
  );
}
