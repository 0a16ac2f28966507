import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { majorOfVersionNum } from '../../shared/postgres/versions.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably, syncDirectory } from '../../shared/files/durable-file.ts';
import { formatLsn } from '../../shared/postgres/lsn.ts';
import { CONTROL_FILE_PATH, parseControlFile } from '../../shared/postgres/pg-control.ts';
import type { BackupManifest } from '../../shared/repository/backup-manifest.ts';
import { type FrameDecompressor, readBackupManifest } from '../../shared/repository/backup-manifest-file.ts';
import { backupManifestPath } from '../../shared/repository/layout.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import { FrameWriter } from './frame-writer.ts';
import { restorePacks } from './pack-restore.ts';
import { fencedConfiguration, fencedHba, tablespaceMap } from './recovery-config.ts';
import type { RestoreRequest } from './restore-request.ts';
import type { RestoreState, RestoreStateStore } from './restore-state.ts';
import { checkTablespaces, isInPlace, layOut, targetModes, type TargetModes } from './target-directory.ts';
import { restoreWal } from './wal-restore.ts';

export interface RestoreProgress {
  /** files, sync, wal, recovery */
  readonly phase: string;
  readonly bytesDone: number;
  /** 0 when not known. */
  readonly bytesTotal: number;
  readonly message: string;
}

export interface PreparationOptions {
  readonly repository: ReadableRepository;
  readonly zstd: FrameDecompressor;
  readonly store: RestoreStateStore;
  readonly workers: number;
  readonly superuser: string;
  readonly signal: AbortSignal;
  readonly onManifest: (manifest: BackupManifest) => Promise<void>;
  readonly onProgress: (progress: RestoreProgress) => void;
}

/** A socket's path has room for 107 bytes, and `/.s.PGSQL.65535` and the name of our own directory belong to it. */
const SOCKET_BASE_LENGTH_MAX = 70;
const FENCED_PORT = 5432;
const AUTO_CONF = 'postgresql.auto.conf';
const SOCKET_PREFIX = 'tidemark-';

/**
 * Brings the target directory to where recovery can begin: files, WAL, recovery settings behind a fence, and pg_control as the
 * last, so that a directory that is not complete cannot be started.
 * @returns the state as it is then
 */
export async function prepareFiles(state: RestoreState, options: PreparationOptions): Promise<RestoreState> {
  const { request } = state;
  const { repository, store, signal } = options;
  const manifestPath = backupManifestPath(request.node, request.systemIdentifier, request.backupId);
  const manifest = await readBackupManifest(repository, manifestPath, options.zstd);
  checkManifest(manifest, request);
  checkTablespaces(manifest, request);
  await options.onManifest(manifest);
  const modes = targetModes(manifest);
  const bootId = await readBootId();
  const kept = await packsToKeep(state, manifest, bootId);
  let current: RestoreState = {
    ...state,
    bootId,
    packsWritten: kept,
    serverVersionNum: manifest.serverVersionNum,
    sourceSettings: manifest.settings,
  };
  await store.save(current);
  const packsWritten = new Set(kept);
  const keptFiles = filesOf(manifest, packsWritten);
  await layOut(manifest, request, modes, (name) => keptFiles.has(name));
  const writer = new FrameWriter(options.workers);
  try {
    const bytes = new ByteProgress(options, 'files', contentBytes(manifest));
    const controlFrames = await restorePacks({
      manifest,
      repository,
      directory: request.directory,
      writer,
      signal,
      packsWritten,
      onBytes: (count) => bytes.add(count),
      onPack: async (pack) => {
        packsWritten.add(pack);
        current = { ...current, packsWritten: [...packsWritten].sort((a, b) => a - b) };
        await store.save(current);
      },
    });
    const wal = new ByteProgress(options, 'wal', Number(request.walEndLsn - request.walFromLsn));
    const walFiles = await restoreWal({
      request,
      repository,
      writer,
      signal,
      fileMode: modes.file,
      onBytes: (count) => wal.add(count),
    });
    await writer.settle();
    options.onProgress({ phase: 'sync', bytesDone: 0, bytesTotal: 0, message: '' });
    await writer.sync([...manifest.files.map((file) => path.join(request.directory, file.path)), ...walFiles]);
    await writer.settle();
    current = await configureRecovery(current, manifest, modes, options);
    await syncDirectories(manifest, request);
    for (const frame of controlFrames) await writer.write(frame);
    await writer.settle();
    await writer.sync([path.join(request.directory, CONTROL_FILE_PATH)]);
    await writer.settle();
  } finally {
    await writer.close();
  }
  await checkControl(request);
  current = { ...current, phase: 'prepared' };
  await store.save(current);
  return current;
}

/** Writes what recovery reads besides the files: label, tablespaces, signal, settings. May be repeated while the server is down. */
async function configureRecovery(
  state: RestoreState,
  manifest: BackupManifest,
  modes: TargetModes,
  options: PreparationOptions,
): Promise<RestoreState> {
  const { request } = state;
  const at = (name: string): string => path.join(request.directory, name);
  const missing = async (name: string): Promise<boolean> => (await statOrNull(at(name))) === null;
  const configured = await writeFence(state, options.store, options.superuser);
  await options.store.save(configured);
  // Where the source kept its configuration elsewhere, the restored server gets PostgreSQL's defaults.
  if (await missing('postgresql.conf')) await replaceFileDurably(at('postgresql.conf'), '', modes.file);
  for (const name of ['pg_hba.conf', 'pg_ident.conf']) {
    if (await missing(name))
      await replaceFileDurably(at(name), name === 'pg_hba.conf' ? 'local all all peer\n' : '', modes.file);
  }
  await replaceFileDurably(at('backup_label'), Buffer.from(manifest.backupLabel, 'base64'), modes.file);
  // The server's own map names the places of the source: recovery would link there.
  const map = tablespaceMap(request.tablespaceDirectories);
  if (map !== '') await replaceFileDurably(at('tablespace_map'), map, modes.file);
  await replaceFileDurably(at('recovery.signal'), '', modes.file);
  return configured;
}

/**
 * Writes the fence into postgresql.auto.conf, with a socket directory that is there.
 * @returns the state that names it
 */
export async function writeFence(
  state: RestoreState,
  store: RestoreStateStore,
  superuser: string,
): Promise<RestoreState> {
  const { request } = state;
  const known = state.socketDirectory !== '' && (await statOrNull(state.socketDirectory)) !== null;
  const socketDirectory = known ? state.socketDirectory : await makeSocketDirectory();
  const own = store.privateDirectory(request.restoreId);
  const hbaFile = path.join(own, 'pg_hba.conf');
  const identFile = path.join(own, 'pg_ident.conf');
  await writeFile(hbaFile, fencedHba(superuser), { mode: 0o600 });
  await writeFile(identFile, '', { mode: 0o600 });
  const file = path.join(request.directory, AUTO_CONF);
  const before = (await statOrNull(file)) === null ? '' : await readFile(file, 'utf8');
  const content = fencedConfiguration(before, request, {
    socketDirectory,
    hbaFile,
    identFile,
    port: FENCED_PORT,
    sourceSettings: state.sourceSettings,
    serverMajor: majorOfVersionNum(state.serverVersionNum),
  });
  await replaceFileDurably(file, content, 0o600);
  return { ...state, socketDirectory };
}

async function makeSocketDirectory(): Promise<string> {
  const base = tmpdir().length <= SOCKET_BASE_LENGTH_MAX ? tmpdir() : '/tmp';
  return await mkdtemp(path.join(base, SOCKET_PREFIX));
}

function checkManifest(manifest: BackupManifest, request: RestoreRequest): void {
  const { id, node, systemIdentifier, walSegmentBytes, startLsn, stopLsn } = manifest;
  if (id !== request.backupId || node !== request.node || systemIdentifier !== request.systemIdentifier) {
    throw new TidemarkError('TM-REPO-003', `the manifest of backup ${request.backupId} is that of ${node}'s ${id}`);
  }
  if (
    walSegmentBytes !== request.walSegmentBytes ||
    startLsn < request.walFromLsn ||
    startLsn >= request.walFromLsn + BigInt(walSegmentBytes) ||
    stopLsn > request.walEndLsn
  ) {
    throw new TidemarkError(
      'TM-RESTORE-001',
      `backup ${id} runs from ${formatLsn(startLsn)} to ${formatLsn(stopLsn)}, which the WAL from ` +
        `${formatLsn(request.walFromLsn)} to ${formatLsn(request.walEndLsn)} does not cover`,
    );
  }
}

/** The files of which something lies in packs that were written. */
function filesOf(manifest: BackupManifest, packs: ReadonlySet<number>): Map<string, number> {
  const files = new Map<string, number>();
  if (packs.size === 0) return files;
  for (const { path: name, sizeBytes, extents } of manifest.files) {
    const some = extents.some(([sequence]) => packs.has(manifest.frames[sequence]?.[0] ?? -1));
    if (some && name !== CONTROL_FILE_PATH) files.set(name, sizeBytes);
  }
  return files;
}

/** What an earlier attempt wrote counts only if the machine has not restarted since, and all of its files are there still. */
async function packsToKeep(state: RestoreState, manifest: BackupManifest, bootId: string): Promise<number[]> {
  if (bootId === '' || bootId !== state.bootId) return [];
  for (const [name, sizeBytes] of filesOf(manifest, new Set(state.packsWritten))) {
    const stats = await statOrNull(path.join(state.request.directory, name));
    if (stats === null || !stats.isFile() || (stats.size !== sizeBytes && name !== AUTO_CONF)) return [];
  }
  return [...state.packsWritten];
}

function contentBytes(manifest: BackupManifest): number {
  return manifest.frames.reduce((sum, frame) => sum + frame[3], 0);
}

async function syncDirectories(manifest: BackupManifest, request: RestoreRequest): Promise<void> {
  const below = manifest.directories.map((directory) => path.join(request.directory, directory));
  const inPlace = manifest.tablespaces.filter(({ oid, location }) => isInPlace(oid, location));
  const tablespaces = Object.values(request.tablespaceDirectories);
  const all = [...below, ...inPlace.map(({ location }) => path.join(request.directory, location)), ...tablespaces];
  for (const directory of new Set(all)) {
    if ((await statOrNull(directory)) !== null) await syncDirectory(directory);
  }
  await syncDirectory(request.directory);
  await syncDirectory(path.dirname(request.directory));
}

async function checkControl(request: RestoreRequest): Promise<void> {
  const control = parseControlFile(await readFile(path.join(request.directory, CONTROL_FILE_PATH)));
  if (control.systemIdentifier !== request.systemIdentifier || control.walSegmentBytes !== request.walSegmentBytes) {
    throw new TidemarkError(
      'TM-RESTORE-001',
      `the restored pg_control is of PostgreSQL system ${control.systemIdentifier}, not ${request.systemIdentifier}`,
    );
  }
}

/** Changes with every start of the machine; empty where that cannot be told. */
async function readBootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return '';
  }
}

async function statOrNull(file: string) {
  try {
    return await lstat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

class ByteProgress {
  readonly #options: PreparationOptions;
  readonly #phase: string;
  readonly #bytesTotal: number;
  #bytesDone = 0;

  constructor(options: PreparationOptions, phase: string, bytesTotal: number) {
    this.#options = options;
    this.#phase = phase;
    this.#bytesTotal = bytesTotal;
  }

  add(bytes: number): void {
    this.#bytesDone += bytes;
    const { onProgress } = this.#options;
    onProgress({ phase: this.#phase, bytesDone: this.#bytesDone, bytesTotal: this.#bytesTotal, message: '' });
  }
}

/** Removes the directory of a fenced server's socket; one that is not ours is left alone. */
export async function removeSocketDirectory(directory: string): Promise<void> {
  if (!path.basename(directory).startsWith(SOCKET_PREFIX)) return;
  if ((await statOrNull(directory)) !== null && (await readdir(directory)).length <= 2) {
    await rm(directory, { recursive: true, force: true });
  }
}
