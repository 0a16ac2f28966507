import { mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably } from '../../shared/files/durable-file.ts';
import { DirectoryLock } from '../../shared/files/directory-lock.ts';
import { TermStore } from '../../shared/term/term-store.ts';
import type { CoordinatorInfo, Coordination, LeaderInfo, Leadership } from './coordination.ts';

const TERM_FILE = 'term';
const NAMES_DIRECTORY = 'names';
const REPOSITORY_FILE = 'repository';
/** The longest name of a file on every file system in use. */
const FILE_NAME_BYTES_MAX = 255;

interface EmbeddedCoordinationOptions {
  readonly self: CoordinatorInfo;
  readonly directory: string;
}

/**
 * Coordination for one coordinator on one machine. The directory belongs to one process at a time (its lock), so whoever has it
 * leads when it wants to. The term is durable before the leadership begins, and a name before `put` resolves.
 */
export class EmbeddedCoordination implements Coordination {
  readonly kind = 'embedded';
  readonly #self: CoordinatorInfo;
  readonly #directory: string;
  readonly #listeners = new Set<() => void>();
  #lock: DirectoryLock | null = null;
  #leadership: EmbeddedLeadership | null = null;
  /** Campaigns, writes and resignations one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EmbeddedCoordinationOptions) {
    this.#self = options.self;
    this.#directory = options.directory;
  }

  async knownRepository(): Promise<string | null> {
    return await contentOf(path.join(this.#directory, REPOSITORY_FILE));
  }

  /** @throws TidemarkError TM-REPO-010 if another process uses the directory */
  async start(repositoryId: string): Promise<void> {
    this.#lock = await DirectoryLock.acquire(this.#directory);
    await mkdir(path.join(this.#directory, NAMES_DIRECTORY), { recursive: true, mode: 0o700 });
    await replaceFileDurably(path.join(this.#directory, REPOSITORY_FILE), repositoryId);
  }

  async close(): Promise<void> {
    this.#leadership?.end('the coordinator stops');
    await this.#last;
    await this.#lock?.release();
    this.#lock = null;
  }

  async campaign(options: { readonly termMin: bigint; readonly signal: AbortSignal }): Promise<Leadership> {
    options.signal.throwIfAborted();
    return await this.#inTurn(async () => {
      this.#checkLocked();
      if (this.#leadership !== null) {
        throw new TidemarkError('TM-INTERNAL-001', 'a campaign began during a leadership');
      }
      const terms = await TermStore.open(path.join(this.#directory, TERM_FILE));
      const term = (terms.highest > options.termMin ? terms.highest : options.termMin) + 1n;
      await terms.observe(term);
      options.signal.throwIfAborted();
      this.#leadership = new EmbeddedLeadership(term, {
        put: (leadership, key, value) => this.#inTurn(() => this.#put(leadership, key, value)),
        ended: () => {
          this.#leadership = null;
          this.#changed();
        },
      });
      this.#changed();
      return this.#leadership;
    });
  }

  leader(): LeaderInfo | null {
    return this.#leadership === null ? null : { ...this.#self, term: this.#leadership.term };
  }

  coordinators(): readonly CoordinatorInfo[] {
    return this.#lock === null ? [] : [this.#self];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async get(key: string): Promise<string | null> {
    this.#checkLocked();
    return await contentOf(this.#fileOf(key));
  }

  async getAll(prefix: string): Promise<ReadonlyMap<string, string>> {
    this.#checkLocked();
    const all = new Map<string, string>();
    for (const name of (await readdir(path.join(this.#directory, NAMES_DIRECTORY))).sort()) {
      const key = name.endsWith('.new') ? null : keyOf(name);
      const value = key?.startsWith(prefix) === true ? await this.get(key) : null;
      if (key !== null && value !== null) {
        all.set(key, value);
      }
    }
    return all;
  }

  problem(): string | null {
    return null;
  }

  reachable(): boolean {
    return this.#lock !== null;
  }

  async #put(leadership: Leadership, key: string, value: string): Promise<void> {
    this.#checkLocked();
    leadership.signal.throwIfAborted();
    await replaceFileDurably(this.#fileOf(key), value);
  }

  #fileOf(key: string): string {
    const name = fileNameOf(key);
    if (Buffer.byteLength(name) + '.new'.length > FILE_NAME_BYTES_MAX) {
      throw new TidemarkError('TM-INTERNAL-001', `the name ${JSON.stringify(key)} is too long`);
    }
    return path.join(this.#directory, NAMES_DIRECTORY, name);
  }

  #checkLocked(): void {
    if (this.#lock === null) {
      throw new TidemarkError('TM-LEAD-003', `the coordination in ${this.#directory} is not started`);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

interface EmbeddedLeadershipOwner {
  put(leadership: Leadership, key: string, value: string): Promise<void>;
  ended(): void;
}

/** Holds until it is resigned, a higher term is met, or the process ends. */
class EmbeddedLeadership implements Leadership {
  readonly term: bigint;
  readonly #owner: EmbeddedLeadershipOwner;
  readonly #lost = new AbortController();

  constructor(term: bigint, owner: EmbeddedLeadershipOwner) {
    this.term = term;
    this.#owner = owner;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  holdsNames(): boolean {
    return !this.#lost.signal.aborted;
  }

  put(key: string, value: string): Promise<void> {
    return this.#owner.put(this, key, value);
  }

  notifyHigherTerm(term: bigint): void {
    if (term > this.term) {
      this.end(`term ${term} has begun`);
    }
  }

  resign(): Promise<void> {
    this.end('the leader resigned');
    return Promise.resolve();
  }

  end(reason: string): void {
    if (!this.#lost.signal.aborted) {
      this.#lost.abort(new TidemarkError('TM-LEAD-002', `the leadership of term ${this.term} ended: ${reason}`));
      this.#owner.ended();
    }
  }
}

async function contentOf(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return null;
    }
    throw error;
  }
}

/** A key as one file name: everything but letters, digits, `_` and `-` as %XX, so that no key is a path or a temporary file. */
function fileNameOf(key: string): string {
  return Buffer.from(key, 'utf8')
    .toString('latin1')
    .replace(/[^A-Za-z0-9_-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function keyOf(fileName: string): string {
  return decodeURIComponent(fileName);
}
